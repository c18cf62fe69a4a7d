"""Clients of the ledger that do anything at all: `storm.py URL SEED CLIENTS TRANSACTIONS USER...`.

Each transaction is up to ten random movements. The process says how many movements it committed, line by line,
so that whoever kills it knows.
"""

import asyncio
import random
import sys
from datetime import timedelta

from hortus import ledger
from hortus.core import clock, ids
from hortus.core.db import Database, Tx
from hortus.core.errors import Unavailable

MOST = 10


async def move(tx: Tx, dice: random.Random, user: str, known: dict[str, list[str]]) -> None:
    """One movement of one user's credit; what is refused is refused."""
    grants, holds = known.setdefault(f"g{user}", []), known.setdefault(f"h{user}", [])
    verb = dice.choices(("grant", "reserve", "settle", "release", "claw", "end", "expire"), (3, 6, 4, 2, 1, 1, 1))[0]
    if verb == "grant":
        grants.append(ids.new())
        ends = dice.choice((None, clock.now() + timedelta(seconds=dice.random() * 5)))
        given = {"reference": grants[-1], "reason": "storm", "priority": dice.choice((10, 20, 40)), "expires_at": ends}
        await ledger.grant(tx, user, dice.randint(1, 1000), **given)
    elif verb == "reserve":
        holds.append(ids.new())
        await ledger.reserve_many(
            tx, [ledger.Hold(user, dice.randint(0, 400), holds[-1], timedelta(seconds=dice.random() * 3))]
        )
    elif verb == "settle" and holds:
        await ledger.settle(tx, dice.choice(holds))
    elif verb == "release" and holds:
        await ledger.release(tx, dice.choice(holds))
    elif verb == "claw" and grants:
        wanted = {"grant_reference": dice.choice(grants), "reference": ids.new(), "amount": dice.randint(1, 500)}
        await ledger.claw_back(tx, **wanted)
    elif verb == "end" and grants:
        await ledger.end_grant(tx, dice.choice(grants))
    elif verb == "expire":
        await ledger.expire_reservations(tx)
        await ledger.expire_grants(tx)


async def client(database: Database, dice: random.Random, users: list[str], transactions: int) -> None:
    """One client: its transactions one after another, each of one user, so that no two can wait for each other."""
    known: dict[str, list[str]] = {}
    for _ in range(transactions):
        user, count = dice.choice(users), dice.randint(1, MOST)
        try:
            async with database.transaction() as tx:
                for _ in range(count):
                    await move(tx, dice, user, known)
        except (ledger.UnknownReservation, ledger.UnknownGrant, Unavailable):
            continue  # it was made in a transaction that came to nothing; or the database is too busy for this one
        print(count, flush=True)  # noqa: T201 - this is how it reports


async def main(url: str, seed: int, clients: int, transactions: int, users: list[str]) -> None:
    """All clients of this process at once."""
    database = Database(url)
    dice = [random.Random(f"{seed}:{number}") for number in range(clients)]
    await asyncio.gather(*(client(database, each, users, transactions) for each in dice))
    await database.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]))
