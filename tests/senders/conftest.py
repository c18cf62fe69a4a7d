"""A database that carries an outbox, an engine that sends what is in it, and a look at every row."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import select

from hortus import senders
from hortus.core.db import Database
from hortus.core.http import Http
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.main.tables import metadata
from hortus.ops.configuration import read as read_configuration
from hortus.tasks import EmbeddedEngine
from hortus.tasks.registry import TASK_TYPES
from hortus.tasks.tables import Task

NAMES = ("SMTP", "FROM_EMAIL", "TWILIO", "SMS", "MESSAGE")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's own takes part."""
    import os

    for name in tuple(os.environ):
        if name.startswith(NAMES):
            monkeypatch.delenv(name)


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as client:
        yield client


@pytest.fixture
def open_outbox(database: Database, http: Http, tmp_path) -> Callable[[], Resources]:
    """What start-up makes of the environment as it is now."""

    def make() -> Resources:
        settings = Settings(data_dir=tmp_path, secret_key="k" * 40, frontend_base_url="https://studio.example.com")
        database.context.configuration = configuration = read_configuration(settings)
        chosen = senders.select_senders(configuration, http)
        return Resources(settings, database, http, chosen)

    return make


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts as short as the clock allows."""
    from dataclasses import replace

    for name in ("senders.mail", "senders.sms"):
        monkeypatch.setitem(TASK_TYPES, name, replace(TASK_TYPES[name], longest_backoff=0.01))


@asynccontextmanager
async def sending(resources: Resources) -> AsyncIterator[EmbeddedEngine]:
    engine = EmbeddedEngine(resources, slots={"mail": 2}, poll=0.02)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop(1)


async def ended(resources: Resources, seconds: float = 20.0) -> Task:
    """The one task, sent or dead."""
    async with sending(resources), asyncio.timeout(seconds):
        while True:
            async with resources[Database].snapshot() as tx:
                task = (await tx.execute(select(Task))).scalar_one()
            if task.status in ("done", "dead"):
                return task
            await asyncio.sleep(0.01)


async def everything(database: Database) -> str:
    """Every value of every row, as text."""
    found: list[Any] = []
    async with database.snapshot() as tx:
        for table in metadata.sorted_tables:
            found += [tuple(row) for row in (await tx.execute(select(table))).all()]
    return repr(found)
