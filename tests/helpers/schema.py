"""Creates the schema of an empty database by the migrations."""

import asyncio

from alembic import command

from hortus.ops.migrations import config


async def build(url: str) -> None:
    """Create every table at `url`."""
    await asyncio.to_thread(command.upgrade, config(url), "head")
