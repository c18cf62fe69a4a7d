"""Builds the schema of an empty database the way an installation does: by its migrations."""

import asyncio

from alembic import command

from hortus.ops.migrations import config


async def build(url: str) -> None:
    """Create every table at `url`."""
    await asyncio.to_thread(command.upgrade, config(url), "head")
