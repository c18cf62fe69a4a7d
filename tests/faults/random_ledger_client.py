"""Clients that run random ledger transactions: `random_ledger_client.py URL SEED CLIENTS TRANSACTIONS USER...`.

A transaction is up to ten random movements. After each commit the process prints the number of its movements, so
that a test that kills it can count them.
"""

import asyncio
import random
import sys
from datetime import timedelta

from hortus import ledger
from hortus.core import clock, ids
from hortus.core.db import Database, Tx
from hortus.core.errors import ServiceUnavailable

MAX_MOVEMENTS = 10


async def move(tx: Tx, rng: random.Random, user: str, known: dict[str, list[str]]) -> None:
    """One random movement of a user's credit."""
    grants, holds = known.setdefault(f"g{user}", []), known.setdefault(f"h{user}", [])
    verb = rng.choices(("grant", "reserve", "settle", "release", "claw", "end", "expire"), (3, 6, 4, 2, 1, 1, 1))[0]
    if verb == "grant":
        grants.append(ids.new())
        ends = rng.choice((None, clock.now() + timedelta(seconds=rng.random() * 5)))
        given = {
            "reference": grants[-1],
            "reason": "random load",
            "priority": rng.choice((10, 20, 40)),
            "expires_at": ends,
        }
        await ledger.grant(tx, user, rng.randint(1, 1000), **given)
    elif verb == "reserve":
        holds.append(ids.new())
        await ledger.reserve_many(
            tx, [ledger.Hold(user, rng.randint(0, 400), holds[-1], timedelta(seconds=rng.random() * 3))]
        )
    elif verb == "settle" and holds:
        await ledger.settle(tx, rng.choice(holds))
    elif verb == "release" and holds:
        await ledger.release(tx, rng.choice(holds))
    elif verb == "claw" and grants:
        wanted = {"grant_reference": rng.choice(grants), "reference": ids.new(), "amount": rng.randint(1, 500)}
        await ledger.claw_back(tx, **wanted)
    elif verb == "end" and grants:
        await ledger.end_grant(tx, rng.choice(grants))
    elif verb == "expire":
        await ledger.expire_reservations(tx)
        await ledger.expire_grants(tx)


async def client(database: Database, rng: random.Random, users: list[str], transactions: int) -> None:
    """Run the transactions of one client in sequence, each for one user, so that transactions cannot deadlock."""
    known: dict[str, list[str]] = {}
    for _ in range(transactions):
        user, count = rng.choice(users), rng.randint(1, MAX_MOVEMENTS)
        try:
            async with database.transaction() as tx:
                for _ in range(count):
                    await move(tx, rng, user, known)
        except (ledger.UnknownReservation, ledger.UnknownGrant, ServiceUnavailable):
            continue  # created in a transaction that was rolled back, or the database is busy
        print(count, flush=True)  # noqa: T201 - the test reads it


async def main(url: str, seed: int, clients: int, transactions: int, users: list[str]) -> None:
    """Run all clients concurrently."""
    database = Database(url)
    rng = [random.Random(f"{seed}:{number}") for number in range(clients)]
    await asyncio.gather(*(client(database, each, users, transactions) for each in rng))
    await database.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]))
