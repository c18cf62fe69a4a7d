"""What deploy files say is true of Hortus: its variables, its commands, its paths."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml
from tests.deploy.known import ROOT, ecs_containers, is_read, variables
from typer.main import get_command

from hortus.cli.commands import app
from hortus.ops import configuration

OURS = ("api", "worker", "scheduler", "migrate")
PLACES = [
    ROOT / name for name in ("Dockerfile", ".dockerignore", "compose.yaml", "render.yaml", "railway.json", "fly.toml")
]
FILES = [
    *PLACES,
    *[
        path
        for top in ("deploy", ".github", "scripts")
        for path in sorted((ROOT / top).rglob("*"))
        if path.is_file() and path.suffix != ".pyc"  # another test loads a script from there
    ],
]
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]
LATER = {"POSTGRES_PASSWORD", "HTTP_PORT"}
"""Of compose's own: it puts them into what it starts."""


def named() -> dict[str, set[str]]:
    """The variables that each file gives to Hortus."""
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    render = yaml.safe_load((ROOT / "render.yaml").read_text())["services"]
    ecs = ecs_containers().values()
    secrets = [each["If"][1] if "If" in each else each for one in ecs for each in one["Secrets"]]
    image = re.findall(r"^(?:ENV|   ) *([A-Z][A-Z_]+)=", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    example = {
        path.name: set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", path.read_text(), re.MULTILINE))
        for path in (ROOT / "deploy").rglob("*.env.example")
    }
    units = "".join(path.read_text() for path in (ROOT / "deploy/systemd").glob("*.service"))
    return {
        "compose": set().union(*(compose[name]["environment"] for name in OURS)),
        "compose.env": example["compose.env.example"] - LATER,
        "hortus.env": example["hortus.env.example"],
        "render": {each["key"] for service in render for each in service["envVars"]},
        "fly": set(tomllib.loads((ROOT / "fly.toml").read_text())["env"]),
        "ecs": {each["Name"] for each in secrets} | {each["Name"] for one in ecs for each in one["Environment"]},
        "units": set(re.findall(r"^Environment=([A-Z_]+)=", units, re.MULTILINE)),
        "image": set(image) - {"PATH", "PYTHONUNBUFFERED", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_CACHE_DIR"},
    }


@pytest.mark.parametrize("place", sorted(named()))
def test_every_variable_is_read(place: str):
    names = named()[place]
    assert names
    assert [name for name in sorted(names) if not is_read(name)] == []


def test_the_walk_finds_settings_and_not_everything():
    found = variables()
    assert {"DATABASE_URL", "JWT_SECRET", "OPENAI_API_KEY", "SMTP_HOST", "PORT", "HORTUS_DATA"} <= found
    assert not is_read("DATABSE_URL")
    assert not is_read("data_dir")


def commands() -> list[list[str]]:
    """Every command of ours that a deploy file starts."""
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    found = [compose[name]["command"] for name in OURS]
    found += [json.loads(re.search(r"^CMD (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[1])]
    found += [each["Command"] for each in ecs_containers().values()]
    found += [shlex.split(json.loads((ROOT / "railway.json").read_text())["deploy"]["startCommand"])]
    found += [shlex.split(each) for each in tomllib.loads((ROOT / "fly.toml").read_text())["processes"].values()]
    found += [
        shlex.split(each["dockerCommand"]) for each in yaml.safe_load((ROOT / "render.yaml").read_text())["services"]
    ]
    for path in (ROOT / "deploy/systemd").glob("*.service"):
        command = shlex.split(re.search(r"^ExecStart=(.+)$", path.read_text(), re.MULTILINE)[1].replace("%i", "8001"))
        found.append(["hortus", *command[1:]])
    text = (ROOT / "docs/operators/deploying.md").read_text()
    found += [shlex.split(each) for each in re.findall(r"^(hortus [a-z][^#\n]*)", text, re.MULTILINE)]
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_exists_with_its_options(command: list[str]):
    assert command[0] == "hortus"
    name, arguments = command[1], command[2:]
    context = COMMANDS[name].make_context(name, list(arguments))  # raises for what it does not know
    assert context.args == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_registry_and_no_machine_of_ours(path: Path):
    text = path.read_text()
    assert not re.search(r"/(work|tmp/h|root|Users|home/[a-z])\b", text)
    assert not re.search(r"(?i)\b(ghcr\.io|docker\.io|quay\.io|gcr\.io|amazonaws\.com|pypi|index-url|npmjs)\b", text)
    assert not re.search(r"(?i)(secret_key|password|api_key)[=:] *[\w/+-]{12,}", text)


def test_platforms_that_give_a_port_are_listened_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Render and Railway say by PORT where they look for the server."""
    monkeypatch.setenv("PORT", "8123")
    monkeypatch.setenv("HORTUS_DATA", str(tmp_path))
    for given, port in ((None, 8123), (9, 9)):
        assert configuration.read_server(port=given).port == port
