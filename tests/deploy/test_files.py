"""Each deploy file is read by the checker of its own kind; where a checker is absent the skip says so."""

import os
import re
from pathlib import Path

import pytest
import yaml
from tests.deploy.known import ROOT, ecs_containers, stack
from tests.deploy.programs import needed, passes, run

SCHEMAS = Path(__file__).parent / "schemas"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
NGINX = ROOT / "deploy/nginx/nginx.conf"
UNITS = sorted((ROOT / "deploy/systemd").glob("*.*"))


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


def test_compose_takes_any_password():
    """A password is not part of an address, where some characters would mean something else."""
    awkward = "p@ss/w#1:%2F?"
    given = {"SECRET_KEY": "x" * 40, "POSTGRES_PASSWORD": awkward}
    told = yaml.safe_load(run("docker-compose", "-f", "compose.yaml", "config", **given).stdout)["services"]
    for name in ("migrate", "api", "worker", "scheduler"):
        assert told[name]["environment"]["PGPASSWORD"] == awkward
        assert told[name]["environment"]["DATABASE_URL"] == "postgresql://hortus@postgres:5432/hortus"
    assert told["postgres"]["environment"]["POSTGRES_PASSWORD"] == awkward


def test_compose_fills_no_disk_and_gives_nginx_no_power():
    given = {"SECRET_KEY": "x" * 40, "POSTGRES_PASSWORD": "p"}
    told = yaml.safe_load(run("docker-compose", "-f", "compose.yaml", "config", **given).stdout)["services"]
    for name, each in told.items():
        if each.get("restart") == "unless-stopped":
            assert set(each["logging"]["options"]) == {"max-size", "max-file"}, name
    nginx = told["nginx"]
    assert (nginx["user"], nginx["cap_drop"]) == ("101:101", ["ALL"])
    bare = re.sub(r"#.*", "", NGINX.read_text())
    places = re.findall(r"(?:_temp_path|pid) (\S+);", bare)
    assert len(places) == 6  # all that it writes lies where anybody may write
    assert all(place.startswith("/tmp/") for place in places)
    assert all(int(port) > 1023 for port in re.findall(r"listen (\d+);", bare))


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


def test_cloudformation_takes_the_stack():
    passes("cfn-lint", "--non-zero-exit-code", "warning", "deploy/ecs/stack.yaml")


def test_the_tasks_of_the_stack_share_secrets_and_files():
    containers = ecs_containers()
    assert {each["Command"][1] for each in containers.values()} == {"migrate", "serve", "worker", "scheduler"}
    for name, each in containers.items():
        secrets = {one["Name"] for one in each["Secrets"] if "Name" in one}
        assert secrets == {"SECRET_KEY", "PGPASSWORD"}
        assert not secrets & {one["Name"] for one in each["Environment"]}
        assert each["ReadonlyRootFilesystem"] is True
        assert each["MountPoints"][0]["ContainerPath"] == "/data"
        assert each["Image"] == {"Ref": "MigrationImage" if name == "MigrateTask" else "Image"}


def test_what_the_stack_stores_is_encrypted_and_stays():
    resources = stack()["Resources"]
    assert resources["Database"]["Properties"]["StorageEncrypted"] is True
    assert resources["Files"]["Properties"]["Encrypted"] is True
    assert resources["Cache"]["Properties"]["TransitEncryptionEnabled"] is True
    for name in ("Database", "Files", "SecretKey", "DatabasePassword"):
        assert resources[name]["DeletionPolicy"] in ("Retain", "Snapshot"), name


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
