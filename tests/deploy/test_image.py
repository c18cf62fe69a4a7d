"""What goes into the image: exactly the lock's part, a whole wheel, a health check that can tell."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.deploy.known import ROOT
from tests.deploy.programs import needed
from tests.helpers.server import serve

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.txt").read_text()


def load_pick():
    spec = importlib.util.spec_from_file_location("pick", ROOT / "deploy/docker/pick.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pick = load_pick()


def closure(wanted: list[str]) -> set[str]:
    """Everything that those requirements bring, by what is installed."""
    todo, seen, names = [Requirement(each) for each in wanted], set(), set()
    while todo:
        each = todo.pop()
        mark = (canonicalize_name(each.name), frozenset(each.extras))
        if mark in seen:
            continue
        seen.add(mark)
        names.add(mark[0])
        for line in distribution(each.name).requires or []:
            brought = Requirement(line)
            if brought.marker is None or any(brought.marker.evaluate({"extra": x}) for x in (each.extras or {""})):
                todo.append(brought)
    return names


def here(lock: str) -> set[str]:
    """The names of a lock that this kind of machine installs."""
    first = [block.split("\n")[0].rstrip(" \\") for _, block in pick.blocks(lock)]
    wanted = [Requirement(line) for line in first]
    return {canonicalize_name(each.name) for each in wanted if each.marker is None or each.marker.evaluate()}


@pytest.mark.parametrize("extras", [set(), {"local"}])
def test_the_image_gets_what_it_needs_and_nothing_else(extras: set[str]):
    wanted = [*PROJECT["dependencies"], *[line for each in extras for line in PROJECT["optional-dependencies"][each]]]
    picked = pick.pick(LOCK, "run", extras)
    assert here(picked) == closure(wanted)
    assert all("--hash=sha256:" in block for _, block in pick.blocks(picked))
    assert set(picked.splitlines()) <= set(LOCK.splitlines())


def test_the_builder_gets_what_builds():
    picked = pick.pick(LOCK, "build", set())
    assert here(picked) == closure(PROJECT["optional-dependencies"]["build"])


def test_an_extra_that_is_not_known_stops_the_build():
    done = subprocess.run(
        [sys.executable, ROOT / "deploy/docker/pick.py", "run", "loacl"], check=False, capture_output=True, timeout=30
    )
    assert done.returncode != 0


def test_the_wheel_is_whole(tmp_path: Path):
    """As the image builds it: from what .dockerignore lets through, without a network."""
    uv = needed("uv", ROOT / ".venv/bootstrap/bin")
    source = tmp_path / "source"
    source.mkdir()
    given = ("pyproject.toml", "README.md", "LICENSE", "migrations", "src")
    subprocess.run(["cp", "-r", *given, source], cwd=ROOT, check=True, timeout=60)
    command = [uv, "build", "--wheel", "--quiet", "--offline", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*command, "--out-dir", tmp_path, source], check=True, timeout=120, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for path in (ROOT / "migrations").rglob("*.py"):
        assert f"hortus/migrations/{path.relative_to(ROOT / 'migrations')}" in names
    for path in (ROOT / "src/hortus").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert str(path.relative_to(ROOT / "src")) in names
    assert not [name for name in names if re.search(r"(^|/)(tests|\.env|.*\.db)$", name)]


async def alive(port: int) -> int:
    import asyncio

    environment = {**os.environ, "PORT": str(port)}
    asked = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "deploy/docker/alive.py"), env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    return await asyncio.wait_for(asked.wait(), 30)


async def test_the_health_check_tells_the_living_from_the_dead(sqlite_template: Path, tmp_path: Path):
    async with serve(f"sqlite+aiosqlite:///{tmp_path / 'hortus.db'}", tmp_path, fresh=True) as running:
        port = int(running.url.rpartition(":")[2])
        assert await alive(port) == 0
    assert await alive(port) == 1
