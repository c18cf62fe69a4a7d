"""The scripts for Fly and Railway, against stand-ins for their command lines, and the services of setup-local.sh."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.deploy.known import ROOT

STAND_IN = """#!/usr/bin/env bash
printf '%s %s\\n' "$(basename "$0")" "$*" >> "$RECORD"
case "$*" in
status*) [ -n "$EXISTS" ] ;;
"secrets list"* | variables*--kv) [ -z "$EXISTS" ] || printf 'SECRET_KEY=x\\nDATABASE_URL=y\\n' ;;
"secrets import"*) cat > "$RECORD.secrets" ;;
"volumes list"*) [ -z "$EXISTS" ] || echo data ;;
esac
"""
LOOKS = ("status", "secrets list", "volumes list", "variables --service hortus --kv")


def deploy(folder: Path, platform: str, *arguments: str, exists: bool) -> tuple[str, list[str]]:
    """What the script prints, and the commands by which it changes something."""
    for name in ("fly", "railway"):
        (folder / name).write_text(STAND_IN)
        (folder / name).chmod(0o755)
    given = {
        "PATH": f"{folder}:{os.environ['PATH']}", "RECORD": str(folder / "record"), "EXISTS": "1" if exists else "",
        "APP": "shop",
    }  # fmt: skip
    (folder / "record").touch()
    script = ROOT / f"deploy/{platform}/deploy.sh"
    done = subprocess.run([script, *arguments], check=True, env=given, capture_output=True, text=True, timeout=60)
    commands = [line.partition(" ")[2] for line in (folder / "record").read_text().splitlines()]
    return done.stdout, [line for line in commands if not line.startswith(LOOKS)]


def test_fly_gets_everything_the_first_time(tmp_path: Path):
    _, changes = deploy(tmp_path, "fly", exists=False)
    assert [" ".join(line.split()[:2]) for line in changes] == [
        "apps create", "secrets import", "postgres create", "postgres attach", "volumes create", "deploy --app",
    ]  # fmt: skip
    assert len((tmp_path / "record.secrets").read_text()) == len("SECRET_KEY=") + 64 + 1
    assert "PUBLIC_URL=https://shop.fly.dev" in changes[-1]


def test_railway_gets_everything_the_first_time(tmp_path: Path):
    _, changes = deploy(tmp_path, "railway", exists=False)
    assert [line.split()[0] for line in changes] == [
        "init", "add", "add", "service", "volume", "variables", "variables", "domain", "up",
    ]  # fmt: skip
    assert "DATABASE_URL=${{Postgres.DATABASE_URL}}" in changes[6]


@pytest.mark.parametrize(("platform", "last"), [("fly", "deploy --app shop"), ("railway", "up --service")])
def test_a_later_release_only_deploys(tmp_path: Path, platform: str, last: str):
    _, changes = deploy(tmp_path, platform, exists=True)
    assert len(changes) == 1
    assert changes[0].startswith(last)


@pytest.mark.parametrize("platform", ["fly", "railway"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_dry_run_only_looks(tmp_path: Path, platform: str, exists: bool):
    printed, changes = deploy(tmp_path, platform, "--dry-run", exists=exists)
    assert changes == []
    assert printed.splitlines()[-1].startswith("+ ")


def test_local_services_start_again_with_their_data_and_stop(tmp_path: Path):
    script = ROOT / "scripts/local_services.py"

    def services(verb: str) -> str:
        command = [sys.executable, "-W", "ignore", script, verb, tmp_path]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=150).stdout

    try:
        settings = dict(line.split("=", 1) for line in services("start").splitlines())
        assert set(settings) == {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"}
        assert services("start").splitlines()[0] == f"DATABASE_URL={settings['DATABASE_URL']}"
        environment = {**os.environ, "DATABASE_URL": settings["DATABASE_URL"], "HORTUS_DATA": str(tmp_path / "data")}
        for _ in range(2):
            migrated = [sys.executable, "-m", "hortus", "migrate"]
            subprocess.run(migrated, check=True, env=environment, cwd=tmp_path, timeout=120, capture_output=True)
            services("stop")
            services("start")
    finally:
        services("stop")
    assert not (tmp_path / "services.pid").exists()
