"""A process without Redis knows whether another one works on its database."""

import asyncio
from pathlib import Path

from tests.helpers.server import Hortus, serve

from hortus.core.events import Bus


async def becomes(hortus: Hortus, alone: bool) -> None:
    """Wait until it knows."""
    async with asyncio.timeout(20):
        while hortus.resources[Bus].single_process is not alone:
            await asyncio.sleep(0.05)


async def test_a_process_is_alone_until_another_works_on_its_database(database_url: str, tmp_path: Path):
    async with serve(database_url, tmp_path / "a") as first:
        await becomes(first, True)
        async with serve(database_url, tmp_path / "b") as second:
            await becomes(first, False)
            await becomes(second, False)
        await becomes(first, True)  # the other one left in good order
