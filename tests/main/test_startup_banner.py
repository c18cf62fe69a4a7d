"""What a server prints once it listens, and the first administrator that comes of it."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
from tests.helpers.server import PASSWORD

WITHIN = 120.0
SAID = re.compile(
    r"Hortus is up at (\S+).*POST (\S+)/api/auth/setup.*one-time token: (\S+)\n(.+)\n",
    re.DOTALL,
)


class Invitation(NamedTuple):
    """What the first run says on how one becomes administrator."""

    url: str
    token: str
    note: str
    listens: str


@asynccontextmanager
async def invited(folder: Path, **settings: str) -> AsyncIterator[Invitation]:
    """A first run of `hortus up`, once it has said how one becomes administrator."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hortus", "up", "--port", "0", "--data", str(folder / "data"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=folder,
        env={**os.environ, "DATABASE_URL": "", **settings},
    )  # fmt: skip
    assert process.stdout is not None
    said: list[str] = []
    try:
        async with asyncio.timeout(WITHIN):
            async for line in process.stdout:
                said.append(line.decode())
                found = SAID.search("".join(said))
                if found:
                    break
            else:
                pytest.fail(f"it never said so: {said}")
        yield Invitation(listens=found[1], url=found[2], token=found[3], note=found[4])
    finally:
        process.terminate()
        await process.communicate()


async def test_the_first_administrator_is_sent_where_others_reach_the_server(tmp_path: Path):
    async with invited(tmp_path, PUBLIC_URL="https://studio.example/") as invitation:
        assert invitation.url == "https://studio.example"


async def test_only_the_newest_token_makes_an_administrator_and_the_start_says_so(tmp_path: Path):
    async with invited(tmp_path, PUBLIC_URL="") as first:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", first.url)
        assert first.url == first.listens
    async with (
        invited(tmp_path, PUBLIC_URL="") as second,
        httpx2.AsyncClient(base_url=second.url, timeout=60) as client,
    ):
        assert second.token != first.token
        assert "the newest is the one that works" in second.note
        answers = [
            await client.post("/api/auth/setup", json={"token": token, "email": email, "password": PASSWORD})
            for token, email in (
                (first.token, "early@example.com"),
                (second.token, "root@example.com"),
                (second.token, "late@example.com"),
            )
        ]
    assert [answer.status_code for answer in answers] == [403, 201, 403], [answer.text for answer in answers]
    assert answers[1].json()["user"]["role"] == "admin"
