"""Flower itself, as docs/operators/scaling.md starts it, before real workers."""

import asyncio
import importlib.util
import itertools
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.faults.worker_cluster import worker_cluster
from tests.helpers.valkey import Valkey

from hortus.core.db import Database

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("flower") is None,
        reason="LOUD: no Flower here, so it was not tested; requirements-dev.txt has it",
    ),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]
WHO = ("ops", "a-long-password")
QUEUES = {"hortus.interactive", "hortus.media", "hortus.mail", "hortus.maintenance"}
SECRET = "s" * 40
ALONE: tuple[str, ...] = ()
WITH_OUR_APP = ("-A", "hortus.main.worker")


@asynccontextmanager
async def flower(broker: str, folder: Path, application: tuple[str, ...]) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a running Flower that sends no password."""
    log = folder / "flower.log"
    variables = {"CELERY_BROKER_URL": broker, "FLOWER_BASIC_AUTH": ":".join(WHO), "SECRET_KEY": SECRET}
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "celery", *application,
            "flower", "--address=127.0.0.1", "--port=0", "--read-only", "--purge-offline-workers=600",
            stdout=out, stderr=out, cwd=folder, env={**os.environ, **variables},
        )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            while not (at := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        async with httpx2.AsyncClient(base_url=at[0], timeout=10) as client:
            yield client
        process.terminate()  # it stops on a signal, and has no thread that hangs
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    except BaseException:
        print(log.read_text())  # noqa: T201 - for the report of the failure
        raise
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def get_until(client: httpx2.AsyncClient, path: str, enough: Callable[[Any], Awaitable[bool]]) -> Any:
    """The answer of Flower at that path, once `enough` accepts it."""
    found: Any = None
    try:
        async with asyncio.timeout(20):
            while True:
                answer = await client.get(path, auth=WHO)
                assert answer.status_code == 200, answer.text
                if await enough(found := answer.json()):
                    return found
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{path}: {found}") from None


async def whole(workers: dict[str, Any]) -> bool:
    """Whether some worker answered each question."""
    return any({"stats", "active_queues", "registered"} <= set(worker) for worker in workers.values())


def handled(messages: dict[str, Any]) -> list[dict[str, Any]]:
    """Handled messages. Flower has no name for those that were being handled when its events began."""
    return [
        message for message in messages.values() if (message["name"], message["state"]) == ("hortus.run", "SUCCESS")
    ]


@pytest.mark.parametrize("application", [ALONE, WITH_OUR_APP], ids=["alone", "with_our_app"])
async def test_flower_sees_workers_queues_and_handled_messages(
    database: Database, database_url: str, valkey: Valkey, tmp_path: Path, application: tuple[str, ...]
):
    async with worker_cluster(database, database_url, valkey.url, tmp_path) as here:
        async with flower(valkey.url, tmp_path, application) as client:
            await here.add(SECRET_KEY=SECRET)
            workers = await get_until(client, "/api/workers?refresh=1", whole)
            # Flower enables events of workers every five seconds; it never receives earlier ones.
            numbers = itertools.count()

            async def seen(messages: dict[str, Any]) -> bool:
                await here.want([next(numbers)])
                return bool(handled(messages))

            messages = await get_until(client, "/api/tasks", seen)
            ((name, worker),) = workers.items()
            assert {queue["name"] for queue in worker["active_queues"]} == QUEUES
            assert "hortus.run" in worker["registered"]
            assert worker["stats"]["pool"]["implementation"] == "celery.concurrency.thread:TaskPool"
            assert list((await client.get("/api/workers?status=1", auth=WHO)).json().items()) == [(name, True)]
            for message in handled(messages):
                assert message["worker"] == name
                assert re.fullmatch(r"'(ran \d+|forwarded)'", message["result"])

            lengths = (await client.get("/api/queues/length", auth=WHO)).json()["active_queues"]
            assert {queue["name"] for queue in lengths} == QUEUES
            for page in ("/", "/tasks", "/broker", f"/worker/{name}"):
                shown = await client.get(page, auth=WHO)
                assert shown.status_code == 200
                assert SECRET not in shown.text
                assert (await client.get(page)).status_code == 401
            assert (await client.get("/api/workers")).status_code == 401
            assert (await client.get("/api/tasks", auth=("ops", "guess"))).status_code == 401
            # What docs/operators/scaling.md warns of: these two need no password.
            assert (await client.get("/healthcheck")).text == "OK"
            metrics = (await client.get("/metrics")).text
            assert f'flower_events_total{{task="hortus.run",type="task-succeeded",worker="{name}"}}' in metrics

            refused = await client.post(f"/api/worker/shutdown/{name}", auth=WHO)
            assert (refused.status_code, refused.text) == (403, "Read only mode is enabled")
        await here.want([next(numbers)])
        await here.done(next(numbers))
