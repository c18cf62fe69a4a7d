"""What an operator must mend is one sentence and an exit code, never a traceback and never a process that hangs."""

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

COMMANDS = ("up", "serve", "worker", "scheduler", "migrate", "verify", "create-admin --email a@example.com")
LONG = 120.0
"""Seconds in which any of them must have ended, on a busy machine."""


async def run(command: str, folder: Path, **environment: str) -> tuple[int, str]:
    """The exit code, and everything that was printed."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "CELERY_BROKER_URL")}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hortus", *command.split(), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=folder,
        env={**kept, "PORT": "0", "HORTUS_ADMIN_PASSWORD": "a long enough passphrase 7", **environment},
    )  # fmt: skip
    try:
        async with asyncio.timeout(LONG):
            said, _ = await child.communicate()
    except TimeoutError:
        child.kill()
        pytest.fail(f"hortus {command} goes on")
    assert child.returncode is not None
    return child.returncode, said.decode()


async def run_all(commands: list[tuple[str, dict[str, str]]], folder: Path) -> list[tuple[int, str]]:
    """The same for several commands, two at a time."""
    places = asyncio.Semaphore(2)

    async def one(command: str, environment: dict[str, str]) -> tuple[int, str]:
        async with places:
            return await run(command, folder, **environment)

    return list(await asyncio.gather(*(one(*each) for each in commands)))


def check(code: int, said: str, expected: int, *words: str) -> None:
    assert code == expected, said
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if line.strip()]
    assert len(lines) == 1, said
    for word in words:
        assert word in said


async def test_every_process_reads_all_settings_at_start(tmp_path: Path):
    wrong = {"PAYMENT_GRACE_DAYS": "three", "BASIC_DAILY_LIMIT": "-1", "STRIPE_TIMEOUT": "x"}
    for code, said in await run_all([(command, wrong) for command in COMMANDS], tmp_path):
        assert code == 2, said
        assert "Traceback" not in said
        for sentence in (
            'PAYMENT_GRACE_DAYS must be a whole number from 0 to 36500, not "three".',
            'BASIC_DAILY_LIMIT must be a whole number from 0 to 1000000000, not "-1".',
            'STRIPE_TIMEOUT must be a number above 0 and at most 50, not "x".',
        ):
            assert sentence in said
    assert not (tmp_path / "hortus-data").exists(), "nothing is touched before"


async def test_the_doctor_shows_all_findings(tmp_path: Path):
    code, said = await run("doctor", tmp_path, PAYMENT_GRACE_DAYS="three", BASIC_DAILY_LIMIT="-1", COLUMNS="300")
    assert code == 1, said
    assert "PAYMENT_GRACE_DAYS must be" in said
    assert "BASIC_DAILY_LIMIT must be" in said


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens, and nobody will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def test_a_database_that_is_down(tmp_path: Path, closed_port: int):
    url = f"postgresql://hortus:opensesame@127.0.0.1:{closed_port}/hortus"
    commands = ("up", "serve", "worker", "migrate")
    for code, said in await run_all([(command, {"DATABASE_URL": url}) for command in commands], tmp_path):
        check(code, said, 1, f"127.0.0.1:{closed_port}/hortus cannot be used", "Start it, or correct DATABASE_URL")
        assert "opensesame" not in said


async def test_a_setting_that_cannot_be(tmp_path: Path):
    listed = {"DATABASE_URL": "mysql://root:opensesame@db/x", "QUOTA_TIMEZONE": "Mars/Olympus"}
    alone: list[tuple[dict[str, str], tuple[str, ...]]] = [
        ({"CATALOG_PATH": "/nowhere/catalog.toml"}, ("CATALOG_PATH must be", "No such file")),
        ({"SECRET_KEY": "short", "HOST": "0.0.0.0"}, ("SECRET_KEY must have at least 32 random characters",)),
        ({"HOST": "host.invalid"}, ("HOST host.invalid is not an address of this machine",)),
    ]
    several, *each = await run_all([("up", listed), *(("up", environment) for environment, _ in alone)], tmp_path)
    code, said = several
    assert code == 2, said
    for word in ("DATABASE_URL must be", '"mysql://…"', "QUOTA_TIMEZONE must be a time zone", "Mars/Olympus"):
        assert word in said
    assert ("Traceback" in said, "opensesame" in said, len(said.strip().splitlines())) == (False, False, 3), said
    for (_, words), (code, said) in zip(alone, each, strict=True):
        check(code, said, 2, *words)


async def test_a_folder_that_is_a_file(tmp_path: Path):
    (tmp_path / "data").write_text("not a folder")
    code, said = await run("up --data data", tmp_path)
    check(code, said, 2, "The data folder", "cannot be written", "HORTUS_DATA")


@pytest.fixture
def mounted() -> Iterator[Callable[[Path, str], None]]:
    """Mounts a small disk in memory with the given options."""
    folders = []

    def mount(folder: Path, options: str) -> None:
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False).returncode:
            pytest.skip("only root may mount a disk")
        folders.append(folder)

    yield mount
    for folder in folders:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("options", ["ro", "size=32k"], ids=["read only", "full"])
async def test_a_folder_that_cannot_be_written(options: str, tmp_path: Path, mounted: Callable[[Path, str], None]):
    mounted(tmp_path / "data", options)
    code, said = await run("up --data data", tmp_path)
    check(code, said, 2, "The data folder", "cannot be written", "No space left" if "size" in options else "Read-only")


async def test_a_database_file_that_is_none(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "hortus.db").write_bytes(b"something else " * 400)
    code, said = await run("up --data data", tmp_path)
    check(code, said, 1, "hortus.db cannot be used", "file is not a database")


async def test_a_database_of_an_unknown_revision(tmp_path: Path):
    code, said = await run("migrate --data data", tmp_path)
    assert code == 0, said
    with closing(sqlite3.connect(tmp_path / "data" / "hortus.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '0028'")
        database.commit()
    commands = ("up", "serve", "worker", "scheduler", "migrate")
    for code, said in await run_all([(f"{command} --data data", {}) for command in commands], tmp_path):
        check(code, said, 2, "The database is at revision 0028, which this version cannot upgrade")


async def test_a_port_that_is_in_use(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, said = await run(f"up --port {port}", tmp_path)
    check(code, said, 1, f"Port {port} on 127.0.0.1 is in use")


async def test_an_environment_file_that_is_no_text(tmp_path: Path):
    (tmp_path / ".env").write_bytes(b"PORT=80\xff\xfe00\n")
    code, said = await run("up", tmp_path)
    check(code, said, 2, "The file .env", "not UTF-8")


@pytest.mark.parametrize("source", ["file", "environment", "option"])
async def test_host_and_port_are_read_alike(source: str, tmp_path: Path):
    """By `up`, `serve` and `doctor`: from `.env`, from the environment above it, from options above both."""
    with socket.create_server(("127.0.0.2", 0)) as other:
        port = other.getsockname()[1]
        environment, options = {"PORT": "", "COLUMNS": "300"}, ""
        if source == "file":
            (tmp_path / ".env").write_text(f"HOST=127.0.0.2\nPORT={port}\n")
        elif source == "environment":
            (tmp_path / ".env").write_text("HOST=127.0.0.3\nPORT=1\n")
            environment |= {"HOST": "127.0.0.2", "PORT": str(port)}
        else:
            environment |= {"HOST": "127.0.0.3", "PORT": "1"}
            options = f" --host 127.0.0.2 --port {port}"
        for code, said in await run_all([(f"{each}{options}", environment) for each in ("up", "serve")], tmp_path):
            check(code, said, 1, f"Port {port} on 127.0.0.2 is in use")
        if not options:
            _, said = await run("doctor", tmp_path, **environment)
            assert f"HOST 127.0.0.2, PORT {port}" in said
