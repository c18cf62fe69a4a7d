"""The release script for ECS, driven against a stand-in for the AWS CLI that takes only what AWS takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.deploy.known import ROOT, stack

NAMES = {
    "IMAGE": "registry.internal/hortus:1.2.3",
    "AWS_REGION": "ap-south-1",
    "CERTIFICATE_ARN": "arn:aws:acm:ap-south-1:1:certificate/1",
    "PUBLIC_URL": "https://app.example.com",
}
OUTPUTS = {
    "ClusterName": "cluster-1", "MigrateTaskDefinition": "arn:migrate", "Subnets": "subnet-1,subnet-2",
    "SecurityGroup": "sg-1", "LogGroup": "logs-1", "Address": "lb.example.com",
}  # fmt: skip
STAND_IN = """#!{python}
import os, re, sys
from botocore.session import Session
outputs = {outputs}
words = sys.argv[1:]
service, verb, given = words[0], words[1], dict(zip(words, words[1:]))
model = Session().get_service_model(service)
known = {{re.sub("(?<!^)(?=[A-Z])", "-", name).lower().replace("-", "") for name in model.operation_names}}
assert verb in ("deploy", "wait") or verb.replace("-", "") in known, verb
assert given["--region"] == "ap-south-1"
record = service + " " + (verb if verb != "wait" else "wait " + words[2])
if verb == "describe-stacks":
    if not os.environ["EXISTS"] and not os.path.exists(os.environ["RECORD"] + ".made"):
        sys.exit("no such stack")
    name = re.search("OutputKey=='(.+?)'", given["--query"])
    print(outputs[name[1]] if name else "CREATE_COMPLETE")
    sys.exit(0)
if verb == "deploy":
    open(os.environ["RECORD"] + ".made", "w").close()
    start = words.index("--parameter-overrides") + 1
    pairs = dict(each.split("=", 1) for each in words[start:] if "=" in each)
    assert set(pairs) <= {parameters}, pairs
    record += " " + " ".join(f"{{k}}={{v}}" for k, v in pairs.items() if "Arn" not in k and k != "PublicUrl")
    record += " dry" * ("--no-execute-changeset" in words)
elif verb == "run-task":
    record += " " + given["--task-definition"] + " " + given["--network-configuration"]
    print("arn:task")
elif verb == "describe-tasks":
    print(os.environ["MIGRATION_ENDS"])
open(os.environ["RECORD"], "a").write(record + "\\n")
"""


def release(
    folder: Path, *arguments: str, ends: str = "0", exists: bool = True, **changed: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    program, record = folder / "aws", folder / "record"
    known = {*stack()["Parameters"]}
    program.write_text(STAND_IN.format(python=sys.executable, outputs=OUTPUTS, parameters=known))
    program.chmod(0o755)
    record.touch()
    given = {
        **NAMES, "PATH": f"{folder}:{os.environ['PATH']}", "RECORD": str(record), "MIGRATION_ENDS": ends,
        "EXISTS": "1" if exists else "", **changed,
    }  # fmt: skip
    script = ROOT / "deploy/ecs/deploy.sh"
    done = subprocess.run([script, *arguments], check=False, env=given, capture_output=True, text=True, timeout=120)
    return done, record.read_text().splitlines()


IMAGE = NAMES["IMAGE"]
NETWORK = "awsvpcConfiguration={subnets=[subnet-1,subnet-2],securityGroups=[sg-1],assignPublicIp=DISABLED}"
MIGRATION = [f"ecs run-task arn:migrate {NETWORK}", "ecs wait tasks-stopped", "ecs describe-tasks"]


def test_a_release_migrates_first_and_then_rolls(tmp_path: Path):
    done, record = release(tmp_path)
    assert done.returncode == 0, done.stderr
    assert record == [
        "cloudformation validate-template",
        f"cloudformation deploy MigrationImage={IMAGE}",
        *MIGRATION,
        f"cloudformation deploy Image={IMAGE}",
    ]


def test_the_first_release_makes_everything_and_serves_after_the_migration(tmp_path: Path):
    done, record = release(tmp_path, exists=False)
    assert done.returncode == 0, done.stderr
    none = "ServerCount=0 WorkerCount=0 SchedulerCount=0"
    assert record == [
        "cloudformation validate-template",
        f"cloudformation deploy MigrationImage={IMAGE} Image={IMAGE} {none}",
        *MIGRATION,
        f"cloudformation deploy Image={IMAGE} ServerCount=2 WorkerCount=1 SchedulerCount=1",
    ]
    assert "lb.example.com" in done.stdout


@pytest.mark.parametrize("ends", ["1", "None"])
def test_nothing_rolls_when_the_migration_fails(tmp_path: Path, ends: str):
    done, record = release(tmp_path, ends=ends)
    assert done.returncode == 1
    assert "no service was changed" in done.stderr
    assert record[-1] == "ecs describe-tasks"


@pytest.mark.parametrize("exists", [True, False])
def test_a_dry_run_changes_nothing(tmp_path: Path, exists: bool):
    done, record = release(tmp_path, "--dry-run", exists=exists)
    assert done.returncode == 0, done.stderr
    changes = [f"cloudformation deploy MigrationImage={IMAGE} Image={IMAGE} dry"] if exists else []
    assert record == ["cloudformation validate-template", *changes]


def test_a_missing_name_is_asked_for(tmp_path: Path):
    done, record = release(tmp_path, CERTIFICATE_ARN="")
    assert (done.returncode, record) == (2, [])
    assert "CERTIFICATE_ARN" in done.stderr
