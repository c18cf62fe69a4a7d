"""Latency of list queries for a customer with a thousand and with a million rows."""

import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from bench.figures import Figure, at_most
from sqlalchemy import Table, text
from tests.helpers.schema import build

from hortus import ledger, quotas
from hortus.billing.payments.queries import payments_of
from hortus.billing.tables import Payment
from hortus.chat import service as chat
from hortus.chat.tables import Chatroom, Message
from hortus.core import clock, ids
from hortus.core.db import Base, Database, Tx
from hortus.core.db.paging import PageRequest
from hortus.core.settings import Settings
from hortus.generation import service as generations
from hortus.generation.serialize import generation_out
from hortus.generation.tables import Generation
from hortus.generation.usage import usage_of
from hortus.ledger.tables import CreditGrant, Entry
from hortus.quotas.tables import QuotaUsage

ME, ANOTHER, TEMPLATE = ids.new(), ids.new(), ids.new()
MY_ROOM, ANOTHERS_ROOM = ids.new(), ids.new()
SIZES = {"postgresql": (10**3, 10**6), "sqlite": (10**3, 10**5)}
PAGE = PageRequest(20)
LOOKS = 100
Look = Callable[[Tx], Awaitable[Any]]


async def measure(postgresql: str, sqlite: str) -> list[Figure]:
    """Measure on both databases, which are empty at first."""
    return [*await grow(postgresql), *await grow(sqlite)]


async def grow(url: str) -> list[Figure]:
    """Measure at each size; half of the rows belong to one customer, interleaved with those of another."""
    await build(url)
    database = Database(url)
    settings = Settings(database_url=url)
    found: dict[str, list[float]] = {name: [] for name in list_queries(settings)}
    try:
        async with database.transaction() as tx:
            await quotas.ensure_plans(tx, settings, quotas.PlanSettings())
            await ledger.grant(tx, ME, 10**12, reference="bench", reason="Benchmark")
            await insert_templates(tx)
        there = 0
        for size in SIZES[database.dialect]:
            for table, changed in SHAPES.items():
                async with database.transaction() as tx:
                    await copy_rows(tx, Base.metadata.tables[table], changed, there, size)
            there = size
            async with database.transaction() as tx:
                await tx.execute(text("ANALYZE"))
            for name, look in list_queries(settings).items():
                found[name].append(await median(database, look))
    finally:
        await database.close()
    sizes = SIZES[database.dialect]
    figures = []
    for name, times in found.items():
        grown = f"{name}, {sizes[-1]:,} rows on {database.dialect}"
        figures += [
            at_most(f"{grown}, median", times[-1] * 1000, 10, "ms"),
            at_most(f"... relative to {sizes[0]:,} rows", times[-1] / times[0], 3, "times"),
        ]
    return figures


def list_queries(settings: Settings) -> dict[str, Look]:
    """The queries of the list routes."""

    async def rooms(tx: Tx) -> int:
        return len((await chat.find_rooms(tx, ME, PAGE, archived=False, pinned=None, words=None)).items)

    async def messages(tx: Tx) -> int:
        room = await chat.find_room(tx, ME, MY_ROOM)
        return len((await chat.find_messages(tx, room.id, PAGE)).items)

    async def made(tx: Tx) -> int:
        return len([generation_out(row, settings) for row in (await generations.find_all(tx, ME, PAGE)).items])

    async def entries(tx: Tx) -> int:
        return len((await ledger.entries(tx, ME, PAGE))[0])

    async def payments(tx: Tx) -> int:
        return len((await payments_of(tx, ME, PAGE)).items)

    async def usage(tx: Tx) -> int:
        return PAGE.limit if (await usage_of(tx, ME, settings=settings))["windows"] else 0

    return {
        "list of rooms": rooms,
        "page of messages": messages,
        "list of generations": made,
        "usage": usage,
        "history of credits": entries,
        "history of payments": payments,
    }


async def median(database: Database, look: Look) -> float:
    """Median seconds of one query, run in sequence, each in its own transaction."""
    times = []
    for number in range(LOOKS + 10):
        started = time.perf_counter()
        async with database.snapshot() as tx:
            if await look(tx) != PAGE.limit:
                raise RuntimeError("a page that is not full")
        if number >= 10:
            times.append(time.perf_counter() - started)
    return statistics.median(times)


MINE = f"CASE WHEN n % 2 = 0 THEN '{ME}' ELSE '{ANOTHER}' END"
BORN = "{id}"
SHAPES: dict[str, dict[str, str]] = {
    "chatrooms": {"id": BORN, "user_id": MINE, "activity": BORN},
    "messages": {"id": BORN, "room_id": f"CASE WHEN n % 2 = 0 THEN '{MY_ROOM}' ELSE '{ANOTHERS_ROOM}' END"},
    "generations": {"id": BORN, "user_id": MINE},
    "ledger_entries": {"id": BORN, "account": MINE, "reference": BORN},
    "payments": {"id": BORN, "user_id": MINE, "external_id": BORN},
    "credit_grants": {"id": BORN, "user_id": MINE, "reference": BORN},
    "quota_usage": {"user_id": BORN},
}
"""The tables that grow, and the columns that differ between rows."""


async def insert_templates(tx: Tx) -> None:
    """Insert one template row into each table."""
    now, today = clock.now(), date(2026, 1, 1)
    room = {"title": "Garden", "pinned": False, "archived": False, "created_at": now, "updated_at": now}
    tx.add_all(
        Chatroom(id=room_id, user_id=user_id, activity=room_id, **room)
        for room_id, user_id in ((TEMPLATE, ANOTHER), (MY_ROOM, ME), (ANOTHERS_ROOM, ANOTHER))
    )
    await tx.flush()
    tx.add_all(
        (
            Message(
                id=TEMPLATE, room_id=ANOTHERS_ROOM, role="user", content="How tall is it? " * 12, status="done",
                created_at=now,
            ),
            Generation(
                id=TEMPLATE, user_id=ANOTHER, kind="text", operation="text", status="succeeded", progress=100,
                quality="balanced", prompt="A kite over the sea", params={}, route=[], price=1000, model="writer",
                provider="local", text="Up it goes. " * 20, outputs=[], usage={"output_tokens": 80}, attempts=[],
                created_at=now, started_at=now, finished_at=now,
            ),
            Entry(
                id=TEMPLATE, account=ANOTHER, amount=-1, kind="settle", reason="Text", reference=TEMPLATE,
                created_at=now,
            ),
            Payment(
                id=TEMPLATE, user_id=ANOTHER, gateway="sandbox", external_id=TEMPLATE, kind="topup", title="Credits",
                amount_minor=500, currency="USD", credits=1000, refunded_minor=0, disputed_minor=0, clawback_due=0,
                clawback_taken=0, restore_count=0, paid_at=now, created_at=now,
            ),
            CreditGrant(
                id=TEMPLATE, user_id=ANOTHER, reference=TEMPLATE, reason="Credits", priority=0, amount=1000,
                remaining=0, held=0, expired=0, clawed_back=0, is_open=False, created_at=now,
            ),
            QuotaUsage(user_id=TEMPLATE, kind="text", window="day", starts_on=today, used=1),
        )
    )  # fmt: skip
    await tx.flush()


async def copy_rows(tx: Tx, table: Table, changed: dict[str, str], there: int, size: int) -> None:
    """Copy the template row of `table` until it has `size` rows, in the order of their ids."""
    sqlite = tx.dialect == "sqlite"
    head = "'01970000-0000-7000-8000-' || "
    born = head + ("printf('%012x', n)" if sqlite else "lpad(to_hex(n), 12, '0')")
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    values = ", ".join(
        changed[column.name].replace(BORN, born) if column.name in changed else f't."{column.name}"'
        for column in table.columns
    )
    series = f"WITH RECURSIVE series(n) AS (SELECT {there} UNION ALL SELECT n + 1 FROM series WHERE n < {size - 1}) "
    numbers = "series" if sqlite else f"generate_series({there}, {size - 1}) AS series(n)"
    if not sqlite:  # all foreign keys are valid; checking a million of them takes longer than the inserts
        await tx.execute(text("SET LOCAL session_replication_role = replica"))
        await tx.execute(text("SET LOCAL synchronous_commit = off"))
    first = next(iter(table.primary_key.columns)).name
    await tx.execute(
        text(
            f"INSERT INTO {table.name} ({columns}) {series if sqlite else ''}"
            f"SELECT {values} FROM {table.name} AS t, {numbers} WHERE t.{first} = :template"
        ),
        {"template": TEMPLATE},
    )
