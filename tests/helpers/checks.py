"""Invariants of a server's database, checked after a test."""

from collections.abc import Awaitable, Callable

from sqlalchemy import select, text

from hortus import admin, ledger
from hortus.chat.tables import Chatroom, Message
from hortus.core.db import search
from hortus.files.tables import File
from hortus.generation.tables import Generation
from tests.helpers.server import Hortus

Check = Callable[[Hortus], Awaitable[None]]

HELD_AFTER_END = text(
    "SELECT count(*) FROM credit_reservations r JOIN generations g ON g.id = r.reference "
    "WHERE r.status = 'open' AND g.status NOT IN ('queued', 'running')"
)

SEARCHABLE = (
    select(Chatroom.user_id, Chatroom.search, Chatroom.title, Chatroom.description),
    select(Chatroom.user_id, Message.search, Message.content).join(Chatroom, Chatroom.id == Message.room_id),
    select(File.user_id, File.search, File.filename),
    select(Generation.user_id, Generation.search, Generation.prompt).where(Generation.kind != "chat"),
)


async def ledger_balances(hortus: Hortus) -> None:
    """Every invariant of the ledger holds."""
    async with hortus.database.snapshot() as tx:
        assert await ledger.check_invariants(tx) == []


async def nothing_held_after_end(hortus: Hortus) -> None:
    """No credit is held for a generation that has ended."""
    async with hortus.database.snapshot() as tx:
        assert (await tx.execute(HELD_AFTER_END)).scalar_one() == 0


async def search_is_current(hortus: Hortus) -> None:
    """Each searchable row is indexed by its current text."""
    async with hortus.database.snapshot() as tx:
        for query in SEARCHABLE:
            for owner, indexed, *texts in await tx.execute(query):
                assert indexed == search.document(owner, *texts)


async def audit_log_is_intact(hortus: Hortus) -> None:
    """The hash chain of the audit log is unbroken."""
    async with hortus.database.snapshot() as tx:
        found = await admin.verify(tx)
    assert (found.broken, found.finished) == ([], True)
