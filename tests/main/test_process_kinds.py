"""Each kind of process knows the whole product: every table, every kind of task, every class of settings.

A process is started as an operator starts it, by executing the command; the parent's imports help none of them.
"""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from tests.helpers.commands import WITHIN, process

EVERYTHING = """
import importlib, json, pkgutil, sys
import hortus
for module in pkgutil.walk_packages(hortus.__path__, "hortus."):
    if not module.name.endswith("__main__") and ".migrations" not in module.name:
        importlib.import_module(module.name)
from hortus.core.db import Base
from hortus.main.inventory import settings
from hortus.tasks.registry import TASK_TYPES
print(json.dumps({"tables": sorted(Base.metadata.tables), "tasks": sorted(TASK_TYPES), "settings": settings()}))
"""
STAYING = {
    "up": ["hortus", "up", "--port", "0"],
    "serve": ["hortus", "serve", "--port", "0"],
    "worker": ["hortus", "worker"],
    "worker-on-celery": ["hortus", "worker"],
    "celery-worker": ["celery", "-A", "hortus.main.worker", "worker"],
    "scheduler": ["hortus", "scheduler"],
}
ENDING = {
    "create-admin": ["hortus", "create-admin", "--email", "root@example.com"],
    "verify": ["hortus", "verify"],
    "audit-verify": ["hortus", "audit", "verify"],
}
WHAT = ("tables", "tasks", "settings")


@pytest.fixture(scope="module")
def everything() -> dict[str, list[str]]:
    """What the source holds: all its modules imported, in a process of its own."""
    import subprocess

    told = subprocess.run([sys.executable, "-c", EVERYTHING], capture_output=True, check=True, text=True)
    found: dict[str, list[str]] = json.loads(told.stdout)
    return found


async def inventory(folder: Path, made: asyncio.subprocess.Process) -> dict[str, list[str]]:
    """What the process said that it knows."""
    async with asyncio.timeout(WITHIN):
        while True:
            ended = made.returncode is not None
            lines = (folder / "log").read_text().splitlines()
            for line in lines:
                if '"inventory"' in line and line.endswith("}"):
                    said = json.loads(line)
                    return {name: said[name] for name in WHAT}
            assert not ended, "\n".join(lines)[-4000:]
            await asyncio.sleep(0.05)


@pytest.fixture
def folder(tmp_path: Path, sqlite_template: Path) -> Path:
    """A data folder with a migrated database."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "hortus.db").write_bytes(sqlite_template.read_bytes())
    return tmp_path


@pytest.mark.parametrize("kind", STAYING)
async def test_a_process_that_stays_knows_the_whole_product(
    kind: str, everything: dict[str, list[str]], folder: Path, request: pytest.FixtureRequest
):
    settings = {}
    if "celery" in kind:
        settings["CELERY_BROKER_URL"] = request.getfixturevalue("valkey_url")
    async with process(folder, *STAYING[kind], **settings) as made:
        assert await inventory(folder, made) == everything


@pytest.mark.parametrize("kind", ENDING)
async def test_a_command_knows_the_whole_product(kind: str, everything: dict[str, list[str]], folder: Path):
    async with process(folder, *ENDING[kind], HORTUS_ADMIN_PASSWORD="a long enough passphrase 7") as made:
        found = await inventory(folder, made)
        # The audit log is verified without loading any provider or its settings.
        for what in WHAT if kind != "audit-verify" else ("tables", "tasks"):
            assert found[what] == everything[what]
        async with asyncio.timeout(WITHIN):
            assert await made.wait() == 0, (folder / "log").read_text()[-4000:]
