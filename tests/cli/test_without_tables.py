"""Who starts a process on a database that was never migrated is told what to do."""

import asyncio
import os
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("command", ["serve", "worker", "scheduler"])
async def test_a_process_without_tables_says_what_to_run(command: str, tmp_path: Path):
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "CELERY_BROKER_URL")}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hortus", command, "--data", str(tmp_path / "data"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path, env=kept,
    )  # fmt: skip
    async with asyncio.timeout(60):
        said, _ = await child.communicate()
    assert child.returncode == 2, said.decode()
    assert b"hortus migrate" in said
    assert b"Traceback" not in said
