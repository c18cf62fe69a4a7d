"""Each deploy file is read by the checker of its own kind; where a checker is absent the skip says so."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from tests.deploy.known import ROOT

SCHEMAS = Path(__file__).parent / "schemas"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
UNITS = sorted((ROOT / "deploy/systemd").glob("*.*"))
HERE = str(Path(sys.executable).parent)


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    told = {**os.environ, "PATH": f"{HERE}:{os.environ['PATH']}", **environment}
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=ROOT, env=told)


def passes(*command: str | Path, **environment: str) -> None:
    done = run(*command, **environment)
    assert done.returncode == 0, done.stdout + done.stderr


def needed(program: str) -> str:
    found = shutil.which(program, path=f"{HERE}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"LOUD: no {program} here, so what it would find stays unfound")
    return found


def test_the_dockerfile_is_clean():
    passes("hadolint", "--no-fail", "Dockerfile")
    assert run("hadolint", "Dockerfile").stdout == ""


def test_the_last_stage_installs_nothing_and_is_nobody_special():
    last = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert not re.search(r"\b(apt-get|gcc|pip +(wheel|install)|make|curl)\b", last)
    assert "USER 10001:10001" in last
    assert "HEALTHCHECK" in last
    assert 'CMD ["hortus"' in last.splitlines()[-1]


def test_what_the_image_copies_is_let_through():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored  # nothing goes to the builder unless it is named
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for path in " ".join(copied).split():
        assert (ROOT / path).exists(), path
        top = path.split("/")[0]
        assert f"!{path}" in ignored or f"!{Path(path).parent}" in ignored or f"!{top}" in ignored
    assert not [line for line in ignored if line.startswith("!.")]


def test_compose_reads_the_set():
    given = {"SECRET_KEY": "x" * 40, "POSTGRES_PASSWORD": "p"}
    passes("docker-compose", "-f", "compose.yaml", "config", "--quiet", **given)
    passes("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")
    told = yaml.safe_load(run("docker-compose", "-f", "compose.yaml", "config", **given).stdout)
    services = told["services"]
    assert {"nginx", "api", "worker", "scheduler", "migrate", "postgres", "redis"} <= set(services)
    assert [name for name, each in services.items() if each.get("ports")] == ["nginx"]
    for name in ("api", "worker", "scheduler"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert (services[name]["read_only"], services[name]["cap_drop"]) == (True, ["ALL"])
    network = told["networks"]["default"]["ipam"]["config"][0]["subnet"]
    assert services["api"]["environment"]["TRUSTED_PROXIES"] == network


def test_compose_insists_on_secrets():
    for missing in ("SECRET_KEY", "POSTGRES_PASSWORD"):
        given = {"SECRET_KEY": "x" * 40, "POSTGRES_PASSWORD": "p", missing: ""}
        done = run("docker-compose", "-f", "compose.yaml", "--env-file", os.devnull, "config", "--quiet", **given)
        assert f"required variable {missing} is missing" in done.stderr  # it may say so and still exit with 0


@pytest.mark.parametrize(
    ("path", "schema"), [("render.yaml", "render"), ("railway.json", "railway"), ("fly.toml", "fly")]
)
def test_platforms_get_what_they_document(path: str, schema: str):
    passes("check-jsonschema", "--check-metaschema", SCHEMAS / f"{schema}.json")
    passes("check-jsonschema", "--schemafile", SCHEMAS / f"{schema}.json", path)


def test_workflows_hold():
    assert WORKFLOWS
    passes("zizmor", "--offline", "--no-progress", "--min-severity", "low", *WORKFLOWS)
    passes("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)


def test_only_tags_publish_and_nothing_may_more_than_read():
    for path in WORKFLOWS:
        flow = yaml.safe_load(path.read_text())
        starts = flow[True]  # YAML reads the word `on` as true
        pushes = "push: true" in path.read_text()
        assert pushes == (list(starts) == ["push"] and list(starts["push"]) == ["tags"]), path.name
        assert flow["permissions"] == {}
        for job in flow["jobs"].values():
            assert job["permissions"] == {"contents": "read"}
            for step in job["steps"]:
                assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step.get("uses", "a@" + "0" * 40))


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with a program that is there; each template once."""
    for path in UNITS:
        text = path.read_text().replace("/opt/hortus/.venv/bin/hortus", "/bin/true")
        (tmp_path / path.name).write_text(text)
        if "@" in path.name:
            (tmp_path / path.name.replace("@", "@8001")).write_text(text)
    return tmp_path


def test_systemd_reads_the_units(units: Path):
    program = needed("systemd-analyze")
    given = [str(path) for path in units.iterdir() if not path.stem.endswith("@") and path.suffix != ".example"]
    done = run(program, "verify", "--man=no", "--recursive-errors=yes", *given, SYSTEMD_UNIT_PATH=f"{units}:")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_units_are_confined(units: Path):
    program = needed("systemd-analyze")
    for path in units.glob("*.service"):
        if "@." not in path.name:
            done = run(program, "security", "--offline=true", "--threshold=20", path)
            assert done.returncode == 0, done.stdout[-300:]


def test_nginx_reads_its_file(tmp_path: Path):
    program = needed("nginx")
    text = (ROOT / "deploy/nginx/nginx.conf").read_text().replace("server api:8000", "server 127.0.0.1:8000")
    (tmp_path / "nginx.conf").write_text(text)
    passes(program, "-t", "-c", tmp_path / "nginx.conf")


def test_nginx_lets_uploads_through_and_streams_flow():
    from hortus.core.settings import Settings

    text = (ROOT / "deploy/nginx/nginx.conf").read_text()
    bare = re.sub(r"#.*", "", text)
    assert bare.count("{") == bare.count("}")
    for line in filter(None, map(str.strip, bare.splitlines())):
        assert line[-1] in "{};", line
    limit = int(re.search(r"client_max_body_size (\d+)m;", bare)[1]) * 1024 * 1024
    assert Settings.model_fields["max_upload_bytes"].default + 64 * 1024 < limit
    streams = [re.compile(each) for each in re.findall(r"location ~ (\S+) \{[^}]*proxy_buffering off", bare)]
    for path in ("/api/generations/x/events", "/chatroom/x/events/", "/api/text/generate"):
        assert any(each.search(path) for each in streams), path
    assert not any(each.search("/api/upload/file") for each in streams)


@pytest.mark.parametrize("path", sorted((ROOT / "deploy/ecs").glob("*.json")), ids=lambda path: path.stem)
def test_aws_takes_the_task_definitions(path: Path):
    model = ServiceModel(Loader().load_service_model("ecs", "service-2"))
    given = json.loads(path.read_text())
    shape = model.operation_model("RegisterTaskDefinition").input_shape
    report = ParamValidator().validate(given, shape)
    assert not report.has_errors(), report.generate_report()
    unknown = set(given) - set(shape.members)
    assert unknown == set()
    container = shape.members["containerDefinitions"].member
    assert set(given["containerDefinitions"][0]) - set(container.members) == set()


def test_scripts_are_sound():
    scripts = [*ROOT.glob("scripts/*.sh"), *ROOT.glob("deploy/**/*.sh")]
    assert scripts
    for path in scripts:
        passes("bash", "-n", path)
        assert os.access(path, os.X_OK), path
        assert "set -euo pipefail" in path.read_text(), path


def test_shellcheck_finds_nothing():
    shellcheck = needed("shellcheck")
    passes(shellcheck, *ROOT.glob("scripts/*.sh"), *ROOT.glob("deploy/**/*.sh"), ROOT / ".ci/run")
