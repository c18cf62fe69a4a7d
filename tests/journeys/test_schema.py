"""Schemathesis over the whole schema, as a customer, as an administrator and without sign-in: no response is a 5xx."""

import asyncio
import sys
from pathlib import Path

import pytest
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import serve


@pytest.mark.parametrize("role", ["customer", "admin", "anonymous"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_request_makes_a_server_error(
    database_url: str, tmp_path, vendor: OpenAIEmulator, role: str, full: bool
):
    examples = "20" if full else "3"
    async with serve(database_url, tmp_path) as hortus:
        headers = []
        if role != "anonymous":
            client = await (hortus.customer() if role == "customer" else hortus.staff("admin"))
            headers = ["--header", client.headers["Authorization"].join(["Authorization: ", ""])]
        tool = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "st"), "run", f"{hortus.url}/openapi.json", *headers,
            "--checks", "not_a_server_error", "--phases", "examples,fuzzing", "--max-examples", examples,
            "--seed", "20261121",
            "--request-timeout", "20", "--exclude-path", "/api/auth/logout", "--exclude-path-regex", "events$",
            "--workers", "2", "--no-color",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path,
        )  # fmt: skip
        async with asyncio.timeout(250):
            printed, _ = await tool.communicate()
        assert tool.returncode == 0, printed.decode()[-4000:]
