"""The disk is full: outputs that cannot be stored are not charged, and work continues once there is space."""

import random
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.emulators.openai import OpenAIEmulator, openai_settings
from tests.faults.audit import all_ended, audit
from tests.faults.clients import customers, generate
from tests.faults.cluster import cluster
from tests.helpers.programs import skip_without

from hortus.core.db import Database


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    folder = tmp_path / "town" / "data" / "files"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True)
    if mounted.returncode:
        skip_without("small file system (only root mounts one)", "a full disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_full_disk(
    database: Database, database_url: str, tmp_path: Path, small_disk: Path, rng: random.Random, record
):
    filler = small_disk / "filler"
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(OpenAIEmulator())
        here = await stack.enter_async_context(
            cluster(database, database_url, tmp_path / "town", **openai_settings(vendor))
        )
        server = await here.add("serve")
        await here.add_workers(1)
        (client,) = await stack.enter_async_context(customers(server.url, database, 1))
        with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"0" * 4096)
        await generate(client, 1, rng)
        await generate(client, 2, rng)  # words need no room
        await all_ended(database, 2)
        filler.unlink()
        await generate(client, 3, rng)
        took = await all_ended(database, 3)
        books = await audit(database, here.files)
    assert books.statuses == {"failed": 1, "succeeded": 2}
    record("disk full", "1 image refused and not charged, then room again", took)
