"""What a server prints once it listens."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

ASKED = re.compile(r"POST (\S+)/api/auth/setup")


async def invitation(folder: Path, **settings: str) -> str:
    """Where the first run says that one becomes administrator."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hortus", "up", "--port", "0", "--data", str(folder / "data"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=folder,
        env={**os.environ, "DATABASE_URL": "", **settings},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            async for line in process.stdout:
                if found := ASKED.search(line.decode()):
                    return found[1]
        pytest.fail("it never said so")
    finally:
        process.terminate()
        await process.communicate()


async def test_the_first_administrator_is_sent_where_others_reach_the_server(tmp_path: Path):
    assert await invitation(tmp_path, PUBLIC_URL="https://studio.example/") == "https://studio.example"


async def test_without_a_public_address_to_where_it_listens(tmp_path: Path):
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", await invitation(tmp_path, PUBLIC_URL=""))
