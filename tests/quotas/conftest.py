"""A database with the default plans."""

import pytest

from hortus import quotas
from hortus.core.db import Database
from hortus.core.settings import Settings


@pytest.fixture
async def planned(database: Database) -> Database:
    async with database.transaction() as tx:
        await quotas.ensure_plans(tx, Settings(), quotas.PlanSettings())
    return database
