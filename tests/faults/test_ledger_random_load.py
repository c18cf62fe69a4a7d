"""Thirty-two clients move credit at random and are killed meanwhile: the ledger is consistent at every check."""

import asyncio
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from hortus import ledger
from hortus.core import ids
from hortus.core.db import Database

STORM = Path(__file__).with_name("random_ledger_client.py")
PROCESSES, CLIENTS = 4, 8
SUM = text("SELECT coalesce(sum(amount), 0) FROM ledger_entries")
# One statement, so that both sums are of one moment.
APART = text(
    "SELECT a.user_id FROM credit_accounts AS a WHERE a.balance <> "
    "(SELECT coalesce(sum(e.amount), 0) FROM ledger_entries AS e WHERE e.account = a.user_id) LIMIT 1"
)
LOPSIDED = text("SELECT reference FROM ledger_entries GROUP BY reference HAVING sum(amount) <> 0 LIMIT 1")


class RandomClients:
    """One process of clients, restarted whenever it was killed."""

    def __init__(self, url: str, users: list[str], number: int) -> None:
        self._given, self._number = (url, users), number
        self.moved, self.kills = 0, 0
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, wanted: int, rng: random.Random) -> None:
        """Run until `wanted` movements are committed, killing the process at random."""
        url, users = self._given
        while self.moved < wanted:
            transactions = max(1, (wanted - self.moved) // CLIENTS // 5)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, str(STORM), url, str(rng.randrange(10**12)), str(CLIENTS), str(transactions), *users,
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            assassin: asyncio.Task[None] | None = None
            assert self._process.stdout is not None
            async for line in self._process.stdout:
                if not line.strip().isdigit():
                    continue  # the log: a deadlock between two clients, ended by the database, is no movement
                self.moved += int(line)
                if assassin is None:  # not before it works
                    assassin = asyncio.create_task(self._kill(rng.uniform(0.3, 3)))
            code = await self._process.wait()
            assert code in (0, -9), f"a client failed with {code}"
            if assassin is not None:
                assassin.cancel()

    async def _kill(self, after: float) -> None:
        await asyncio.sleep(after)
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            self.kills += 1


async def test_the_ledger_is_consistent_under_random_load_and_kills(
    database: Database,
    database_url: str,
    full: bool,
    rng: random.Random,
    record: Callable[[str, str, float | None], None],
):
    movements = 50_000 if full else 1_200
    users = [ids.new() for _ in range(6)]
    storms = [RandomClients(database_url, users, number) for number in range(PROCESSES)]
    raging = asyncio.gather(*(storm.run(movements // PROCESSES, random.Random(rng.random())) for storm in storms))
    looks = 0
    while not raging.done():
        async with database.snapshot() as tx:
            assert (await tx.execute(SUM)).scalar_one() == 0
            assert (await tx.execute(LOPSIDED)).first() is None
            assert (await tx.execute(APART)).first() is None
        looks += 1
        await asyncio.sleep(0.2)
    await raging
    quiet = time.monotonic()
    await asyncio.sleep(3.1)  # the longest hold is three seconds long, by the clock of the processes
    more = 1
    while more:
        async with database.transaction() as tx:
            more = len(await ledger.expire_reservations(tx)) + await ledger.expire_grants(tx)
    async with database.snapshot() as tx:
        assert await ledger.check_invariants(tx) == []
        held = text("SELECT count(*) FROM credit_reservations WHERE status = 'open'")
        assert (await tx.execute(held)).scalar_one() == 0
    moved, kills = sum(storm.moved for storm in storms), sum(storm.kills for storm in storms)
    assert kills > 0
    record("a storm of 32 clients", f"{moved} movements, {kills} kills, {looks} looks", time.monotonic() - quiet)
