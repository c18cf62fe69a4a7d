"""The release script for ECS, driven against a stand-in for the AWS CLI that takes only what AWS takes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.deploy.known import ROOT

NAMES = {
    "IMAGE": "registry.internal/hortus:1.2.3",
    "CLUSTER": "shop",
    "AWS_REGION": "ap-south-1",
    "SUBNETS": "subnet-1,subnet-2",
    "SECURITY_GROUPS": "sg-1",
    "EXECUTION_ROLE_ARN": "arn:aws:iam::1:role/execution",
    "TASK_ROLE_ARN": "arn:aws:iam::1:role/task",
    "SECRET_ARN": "arn:aws:secretsmanager:ap-south-1:1:secret:hortus",
    "EFS_ID": "fs-1",
    "EFS_ACCESS_POINT_ID": "fsap-1",
    "VPC_CIDR": "10.0.0.0/16",
    "PUBLIC_URL": "https://api.example.com",
}
STAND_IN = """#!{python}
import json, os, sys
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
words = sys.argv[1:]
given = dict(zip(words[2:], words[3:]))
assert words[0] == "ecs"
record = words[1] if words[1] != "wait" else "wait " + words[2]
if words[1] == "register-task-definition":
    body = json.loads(given["--cli-input-json"])
    shape = ServiceModel(Loader().load_service_model("ecs", "service-2")).operation_model("RegisterTaskDefinition")
    report = ParamValidator().validate(body, shape.input_shape)
    assert not report.has_errors(), report.generate_report()
    assert "${{" not in given["--cli-input-json"], "a name is left open"
    record += " " + body["family"] + " " + body["containerDefinitions"][0]["image"]
    print("arn:" + body["family"])
elif words[1] == "update-service":
    record += " " + given["--service"] + " " + given["--task-definition"]
elif words[1] == "run-task":
    record += " " + given["--task-definition"] + " " + given["--network-configuration"]
    print("arn:task")
elif words[1] == "describe-tasks":
    print(os.environ["MIGRATION_ENDS"])
open(os.environ["RECORD"], "a").write(record + "\\n")
"""


def release(tmp_path: Path, ends: str, **changed: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    program = tmp_path / "aws"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)
    record = tmp_path / "record"
    record.touch()
    told = {**NAMES, "PATH": f"{tmp_path}:{os.environ['PATH']}", "RECORD": str(record), "MIGRATION_ENDS": ends}
    script = ROOT / "deploy/ecs/deploy.sh"
    done = subprocess.run([script], check=False, env={**told, **changed}, capture_output=True, text=True, timeout=120)
    return done, record.read_text().splitlines()


def test_the_migration_runs_first_and_then_everything_rolls(tmp_path: Path):
    done, record = release(tmp_path, "0")
    assert done.returncode == 0, done.stderr
    image = NAMES["IMAGE"]
    network = "awsvpcConfiguration={subnets=[subnet-1,subnet-2],securityGroups=[sg-1],assignPublicIp=DISABLED}"
    rolled = [
        line
        for each in ("scheduler", "worker", "api")
        for line in (
            f"register-task-definition hortus-{each} {image}",
            f"update-service hortus-{each} arn:hortus-{each}",
        )
    ]
    assert record == [
        f"register-task-definition hortus-migrate {image}",
        f"run-task arn:hortus-migrate {network}",
        "wait tasks-stopped",
        "describe-tasks",
        *rolled,
        "wait services-stable",
    ]


@pytest.mark.parametrize("ends", ["1", "None"])
def test_nothing_rolls_when_the_migration_fails(tmp_path: Path, ends: str):
    done, record = release(tmp_path, ends)
    assert done.returncode == 1
    assert "nothing was rolled" in done.stderr
    assert not [line for line in record if line.startswith("update-service")]


def test_a_missing_name_is_asked_for(tmp_path: Path):
    done, record = release(tmp_path, "0", EFS_ID="")
    assert (done.returncode, record) == (2, [])
    assert "EFS_ID" in done.stderr


def test_tasks_share_the_secrets_and_the_files():
    found = {path.stem: json.loads(path.read_text()) for path in (ROOT / "deploy/ecs").glob("*.json")}
    assert set(found) == {"api", "worker", "scheduler", "migrate"}
    for each in found.values():
        container = each["containerDefinitions"][0]
        assert {secret["name"] for secret in container["secrets"]} >= {"SECRET_KEY", "DATABASE_URL"}
        assert not {"SECRET_KEY", "DATABASE_URL"} & {given["name"] for given in container["environment"]}
        assert container["readonlyRootFilesystem"] is True
