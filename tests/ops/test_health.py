"""Who is told to stay away, and why."""

import asyncio
import shutil
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text
from tests.helpers.server import serve
from tests.helpers.valkey import Valkey

from hortus.ops.health import Checks
from hortus.ops.migrations import config, head
from hortus.storage import LocalStorage, Storage


def test_the_newest_revision_is_the_head():
    assert ScriptDirectory.from_config(config("")).get_current_head() == head()


async def test_all_is_well(database_url: str, tmp_path):
    async with serve(database_url, tmp_path) as hortus:
        client = hortus.anonymous()
        assert (await client.get("/health/live")).json() == {"status": "ok"}
        for path in ("/health", "/health/ready", "/health/ready/"):
            answer = await client.get(path)
            assert answer.status_code == 200
            fine = {"status": "ok", "database": "ok", "migrations": "ok", "storage": "ok", "worker": "ok"}
            assert answer.json() == fine
        assert not list((tmp_path / "data" / "files").rglob("*-*"))  # it tidies up after itself


async def test_an_older_schema_is_not_served(database_url: str, tmp_path):
    async with serve(database_url, tmp_path) as hortus:
        async with hortus.database.transaction() as tx:
            await tx.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        answer = await hortus.anonymous().get("/health/ready")
        assert (answer.status_code, answer.json()["migrations"]) == (503, "outdated")
        assert answer.json()["status"] == "unavailable"
        assert (await hortus.anonymous().get("/health/live")).status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_without_storage(database_url: str, tmp_path):
    async with serve(database_url, tmp_path) as hortus:
        files = tmp_path / "data" / "files"
        shutil.rmtree(files)
        files.write_text("no folder")
        answer = await hortus.anonymous().get("/health/ready")
        assert (answer.status_code, answer.json()["storage"]) == (503, "down")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_is_survived_is_told(database_url: str, tmp_path, valkey: Valkey):
    broker = valkey.url
    async with serve(database_url, tmp_path, redis_url=valkey.url, celery_broker_url=broker) as hortus:
        client = hortus.anonymous()
        answer = await client.get("/health/ready")
        assert {name: answer.json()[name] for name in ("redis", "broker")} == {"redis": "ok", "broker": "ok"}
        async with hortus.database.transaction() as tx:
            await tx.execute(text("DELETE FROM task_workers"))
        valkey.stop()
        hortus.resources.add(Checks(hortus.resources))  # one that remembers nothing
        answer = await client.get("/health/ready")
        assert answer.status_code == 200
        assert answer.json()["degraded"] == ["worker", "redis", "broker"]
        assert (answer.json()["status"], answer.json()["worker"]) == ("ok", "missing")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_many_ask_and_one_looks(database_url: str, tmp_path):
    async with serve(database_url, tmp_path) as hortus:
        looks = 0
        storage = hortus.resources[Storage]

        class Slow(LocalStorage):
            async def put(self, key: str, content: bytes | Path, mime_type: str) -> None:
                nonlocal looks
                looks += 1
                await asyncio.sleep(60)

        hortus.resources.add(Slow(tmp_path / "slow"), Storage)
        checks = Checks(hortus.resources)
        started = asyncio.get_running_loop().time()
        states = await asyncio.gather(*(checks.all() for _ in range(20)))
        assert asyncio.get_running_loop().time() - started < 10
        assert all(state["storage"] == "down" and state["database"] == "ok" for state in states)
        assert looks == 1
        hortus.resources.add(storage, Storage)
