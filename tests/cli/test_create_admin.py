"""`hortus create-admin` as an operator says it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.helpers.commands import WITHIN, process
from tests.helpers.server import PASSWORD


@pytest.fixture
def folder(tmp_path: Path, sqlite_template: Path) -> Path:
    """A data folder with a migrated database."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "hortus.db").write_bytes(sqlite_template.read_bytes())
    return tmp_path


async def run(folder: Path, *arguments: str, **settings: str) -> tuple[int | None, str]:
    """The exit code, and everything that was printed."""
    (folder / "log").unlink(missing_ok=True)
    async with process(folder, "hortus", "create-admin", *arguments, LOG_LEVEL="warning", **settings) as command:
        async with asyncio.timeout(WITHIN):
            await command.wait()
    return command.returncode, (folder / "log").read_text()


@pytest.mark.parametrize("arguments", [("root@example.com",), ("--email", "root@example.com")])
async def test_the_address_is_an_argument_or_an_option(arguments: tuple[str, ...], folder: Path):
    code, said = await run(folder, *arguments, HORTUS_ADMIN_PASSWORD=PASSWORD)
    assert (code, said.strip()) == (0, "root@example.com is an administrator now.")
    query = "SELECT role FROM users JOIN identifiers ON user_id = users.id WHERE value = ?"
    with closing(sqlite3.connect(folder / "data" / "hortus.db")) as database:
        assert database.execute(query, ("root@example.com",)).fetchall() == [("admin",)]


async def test_without_a_terminal_and_a_password_it_says_what_to_set(folder: Path):
    code, said = await run(folder, "root@example.com")
    assert code == 2
    assert "Set HORTUS_ADMIN_PASSWORD" in said
    assert "Traceback" not in said
