"""Exports and erasures on Celery workers that are killed: each ends, and ends once."""

import asyncio
import hashlib
import random
import signal
import time
import zipfile
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from tests.faults.clients import PASSWORD
from tests.faults.cluster import Process, cluster
from tests.faults.crash_points import PRIVACY_POINTS
from tests.files.draw import make_image
from tests.helpers.valkey import Valkey

from hortus.accounts.tables import User
from hortus.core.db import Database
from hortus.files.tables import File
from hortus.privacy.tables import AccountDeletion, DataExport
from hortus.tasks.tables import Task

WITHIN = 420.0


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_exports_and_erasures_end_once_though_workers_are_killed(
    database: Database, database_url: str, valkey: Valkey, tmp_path: Path, full: bool, rng: random.Random, record
):
    number, kills = (100, 16) if full else (6, 4)
    settings = {"CELERY_BROKER_URL": valkey.url, "ACCOUNT_DELETION_GRACE_DAYS": "0", "SHUTDOWN_GRACE_SECONDS": "30"}
    deaths: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(cluster(database, database_url, tmp_path / "town", **settings))
        server = await here.add("serve")
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=server.url, timeout=60))
        stay = [await person(client, f"stays{place}@example.com") for place in range(number)]
        leave = [await person(client, f"leaves{place}@example.com") for place in range(number)]
        points = list(PRIVACY_POINTS) * (kills // len(PRIVACY_POINTS))
        workers = [here.plan("worker") for _ in range(2)]
        killing = [asyncio.create_task(kill(worker, points, rng, deaths)) for worker in workers]
        for each in rng.sample([*stay, *leave], 2 * number):
            if each in stay or rng.random() < 0.5:  # some leave while their archive is being built
                answer = await client.post("/api/user/data-export", headers=each["headers"])
                assert answer.status_code == 202, answer.text
                each["request"] = answer.headers["X-Request-ID"]
            if each in leave:
                answer = await client.delete("/api/user/me", headers=each["headers"])
                assert answer.status_code == 202, answer.text
            await asyncio.sleep(rng.uniform(0, 20 / number))
        await asyncio.gather(*killing)
        since = time.monotonic()
        await all_ended(database, number, here.log)
        took = time.monotonic() - since
    await exported_once(database, stay, here.files)
    await erased_once(database, leave, here.files)
    assert deaths.total() >= kills
    print(dict(deaths))  # noqa: T201 - where they died
    record("kill -9 under exports and erasures", f"{number} each, {deaths.total()} deaths", took)


async def person(client: httpx2.AsyncClient, email: str) -> dict[str, Any]:
    """Create a user with a name, a chatroom and a file."""
    body = {"email": email, "password": PASSWORD, "name": f"Name of {email}", "accept_terms": True}
    answer = await client.post("/api/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    tokens = answer.json()
    made = {
        "email": email,
        "id": tokens["user"]["id"],
        "headers": {"Authorization": f"Bearer {tokens['access_token']}"},
    }
    headers = made["headers"]
    assert (await client.post("/api/chatroom", json={"title": email}, headers=headers)).status_code == 201
    upload = {"file": ("mine.jpg", make_image())}
    assert (await client.post("/api/upload/file", files=upload, headers=headers)).status_code == 201
    return made


async def kill(worker: Process, points: list[str], rng: random.Random, deaths: Counter[str]) -> None:
    """Crash the worker at the remaining points, one after the other, then start it without."""
    while points:
        point = points.pop(0)
        await worker.start(f"{point}:{rng.randint(0, 1)}")
        ending = asyncio.ensure_future(worker.exited())
        works = asyncio.ensure_future(worker.registered())
        await asyncio.wait((ending, works), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait((ending,), timeout=rng.uniform(1, 6))
        await asyncio.gather(works, return_exceptions=True)
        if not ending.done():
            worker.send(signal.SIGKILL)
            point = "anywhere"
        assert await ending == -signal.SIGKILL
        deaths[point] += 1
    await worker.start()
    await worker.registered()


async def all_ended(database: Database, number: int, log) -> None:
    """Wait until every archive is ready and every account is erased."""
    found: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    try:
        async with asyncio.timeout(WITHIN):
            while True:
                async with database.snapshot() as tx:
                    exports = (await tx.execute(select(DataExport.status))).scalars()
                    deletions = (await tx.execute(select(AccountDeletion.status))).scalars()
                    found = Counter(exports), Counter(deletions)
                    live = select(Task.id).where(Task.status.in_(("queued", "running")), Task.name.like("privacy.%"))
                    waiting = (await tx.execute(live)).all()
                if found == ({"ready": number}, {"erased": number}) and not waiting:
                    return
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{found}\n{log()[-6000:]}") from None


async def exported_once(database: Database, people: list[dict[str, Any]], files: Path) -> None:
    """Assert that each user has one complete archive and one mail about it."""
    async with database.snapshot() as tx:
        rows = list((await tx.execute(select(DataExport))).scalars())
        done = (await tx.execute(select(Task.request_id, Task.name).where(Task.status != "dead"))).all()
        dead = (await tx.execute(select(Task).where(Task.status == "dead"))).scalars().all()
    assert [task for task in dead if task.name.startswith("privacy.")] == []
    assert sorted(row.user_id for row in rows) == sorted(each["id"] for each in people)
    ended = Counter(tuple(row) for row in done)
    for each in people:
        assert (ended[each["request"], "privacy.export"], ended[each["request"], "senders.mail"]) == (1, 1)
    blobs = {path.name: path for path in (files / "exports").rglob("*") if path.is_file()}
    assert set(blobs) == {row.id for row in rows}  # and none of erased users
    for row in rows:
        content = blobs[row.id].read_bytes()
        assert (row.bytes, row.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert zipfile.ZipFile(blobs[row.id]).testzip() is None


async def erased_once(database: Database, people: list[dict[str, Any]], files: Path) -> None:
    """Assert that only the rows that must be retained are left."""
    wanted = {each["id"] for each in people}
    async with database.snapshot() as tx:
        deletions = (await tx.execute(select(AccountDeletion.user_id))).scalars().all()
        users = (await tx.execute(select(User).where(User.id.in_(wanted)))).scalars().all()
        keys = (await tx.execute(select(File.storage_key))).scalars().all()
    assert sorted(deletions) == sorted(wanted)
    assert {(user.status, user.name, user.password_hash) for user in users} == {("deleted", None, None)}
    assert len(users) == len(wanted)
    left = {str(path.relative_to(files)) for path in files.rglob("*") if path.is_file()}
    assert {path for path in left if not path.startswith(("exports/", "health/"))} == set(keys)
