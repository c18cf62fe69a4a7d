"""Celery's own workers, as processes, on a real broker."""

import asyncio
from pathlib import Path

from tests.broker import Valkey
from tests.faults.workers import site

from hortus.core.db import Database


async def test_two_workers_do_each_task_once(database: Database, database_url: str, valkey: Valkey, tmp_path: Path):
    async with site(database, database_url, valkey.url, tmp_path) as here:
        await here.add(number=2)
        await here.want(range(60))
        await asyncio.gather(*(here.want([number]) for number in range(60, 80)))
        await here.done(80)
        assert len(here.noted("start")) == 80
