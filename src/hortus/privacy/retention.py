"""Retention: periodic deletion of old rows, a bounded number per transaction, in the order of ids.

The audit log, the ledger and the parts of closed reservations are never deleted: the ledger's invariants need them.
"""

from datetime import timedelta

from sqlalchemy import ColumnElement, Table, and_, or_, select

from hortus.core import clock, ids
from hortus.core.db import Database
from hortus.privacy import rows
from hortus.privacy.ownership import table_named
from hortus.privacy.settings import PrivacySettings


async def sweep_old(database: Database, rules: PrivacySettings) -> None:
    """Run all sweeps. Idempotent."""
    await sweep_sessions(database, rules.retention_sessions_days)
    await sweep_uses(database, rules.retention_uses_days)
    await sweep_webhook_bodies(database, rules.retention_webhook_body_days)
    await sweep_deleted(database, rules.retention_deleted_days)


async def sweep_sessions(database: Database, days: int) -> int:
    """Delete sessions that ended so many days ago, with their refresh tokens; how many."""
    before, sessions, tokens = (
        clock.now() - timedelta(days=days),
        table_named("sessions"),
        table_named("refresh_tokens"),
    )
    over = and_(
        sessions.c.id < ids.lowest_at(before),  # nothing younger can have ended so long ago
        or_(sessions.c.revoked_at < before, sessions.c.expires_at < before),
    )
    await rows.remove(database, tokens, tokens.c.session_id.in_(select(sessions.c.id).where(over)))
    return await rows.remove(database, sessions, over)


async def sweep_uses(database: Database, days: int) -> int:
    """Delete single uses of quotas and budgets; how many. Their references are ids of generations that have ended."""
    oldest, gone = ids.lowest_at(clock.now() - timedelta(days=max(days, 35))), 0
    for name in ("quota_uses", "budget_uses"):
        table = table_named(name)
        gone += await rows.remove(database, table, table.c.reference < oldest)
    return gone


async def sweep_webhook_bodies(database: Database, days: int) -> None:
    """Clear the bodies of processed webhook events; the events stay. Pending events keep their bodies."""
    table = table_named("webhook_events")
    old = and_(
        table.c.body.is_not(None),
        table.c.status.in_(("processed", "ignored")),
        table.c.id < ids.lowest_at(clock.now() - timedelta(days=days)),
    )
    await rows.anonymise(database, table, old, {"body": None})


async def sweep_deleted(database: Database, days: int) -> int:
    """Delete the rows of chatrooms and files that customers deleted; how many."""
    before = clock.now() - timedelta(days=days)
    rooms, messages, files = table_named("chatrooms"), table_named("messages"), table_named("files")
    over = _deleted_before(rooms, before)
    await rows.remove(database, messages, messages.c.room_id.in_(select(rooms.c.id).where(over)))
    gone = await rows.remove(database, rooms, over)
    return gone + await rows.remove(database, files, files.c.swept_at < before)


def _deleted_before(table: Table, before: object) -> ColumnElement[bool]:
    return table.c.deleted_at < before
