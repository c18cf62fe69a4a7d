"""Memory of peaks is returned to the system, and connections keep small caches."""

import asyncio
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from hortus.core.db import Database

HASHING = """
import asyncio
from pathlib import Path
from hortus.core.gc_tuning import gc_disabled
with gc_disabled():
    from hortus.auth import PasswordPool

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

async def main():
    pool = PasswordPool(threads=1, quiet=0.2)
    before = resident()
    for number in range(3):
        await pool.hash(f"password {number}")
    print(resident() - before)
    async with asyncio.timeout(20):
        while resident() - before > 8:
            await asyncio.sleep(0.02)

asyncio.run(main())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_the_memory_of_hashing_is_returned_when_idle():
    done = subprocess.run([sys.executable, "-c", HASHING], capture_output=True, text=True, timeout=60, check=False)
    assert float(done.stdout) > 15  # MiB
    assert done.returncode == 0, done.stderr


async def test_many_readers_of_sqlite_keep_little_of_its_file(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'hortus.db'}")
    together = asyncio.Barrier(10)

    async def read() -> int:
        async with database.snapshot() as tx:
            pages = (await tx.execute(text("PRAGMA cache_size"))).scalar_one()
            await together.wait()  # no two have the same connection
            return -int(pages)  # KiB; a positive number would be pages

    kept = await asyncio.gather(*(read() for _ in range(10)))
    await database.close()
    assert min(kept) > 0
    assert sum(kept) <= 24_000
