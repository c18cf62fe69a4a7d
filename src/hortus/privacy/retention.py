"""What grows old and is of no more use goes, a bounded number of rows at a time. Each sweep walks the order of ids.

Not swept: the audit log, the ledger, and the parts of closed reservations, without which the ledger could no longer
prove that every reservation was covered by grants.
"""

from datetime import timedelta

from sqlalchemy import ColumnElement, Table, and_, or_, select

from hortus.core import clock, ids
from hortus.core.db import Database
from hortus.privacy import rows
from hortus.privacy.settings import PrivacySettings
from hortus.privacy.whose import table_named


async def sweep_old(database: Database, rules: PrivacySettings) -> None:
    """Say all sweeps; again is fine."""
    await sweep_sessions(database, rules.retention_sessions_days)
    await sweep_uses(database, rules.retention_uses_days)
    await sweep_webhook_bodies(database, rules.retention_webhook_body_days)
    await sweep_deleted(database, rules.retention_deleted_days)


async def sweep_sessions(database: Database, days: int) -> int:
    """Forget sessions that ended so many days ago, with where they were; how many."""
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
    """Forget the single uses of quotas and budgets; how many. Their references are ids of generations long ended."""
    oldest, gone = ids.lowest_at(clock.now() - timedelta(days=max(days, 35))), 0
    for name in ("quota_uses", "budget_uses"):
        table = table_named(name)
        gone += await rows.remove(database, table, table.c.reference < oldest)
    return gone


async def sweep_webhook_bodies(database: Database, days: int) -> None:
    """Forget what gateways wrote, not that they did. What still waits to be handled keeps its words."""
    table = table_named("webhook_events")
    old = and_(
        table.c.body.is_not(None),
        table.c.status.in_(("processed", "ignored")),
        table.c.id < ids.lowest_at(clock.now() - timedelta(days=days)),
    )
    await rows.blank(database, table, old, {"body": None})


async def sweep_deleted(database: Database, days: int) -> int:
    """Forget the rows of what customers deleted; how many rooms and files those were."""
    before = clock.now() - timedelta(days=days)
    rooms, messages, files = table_named("chatrooms"), table_named("messages"), table_named("files")
    over = _deleted_before(rooms, before)
    await rows.remove(database, messages, messages.c.room_id.in_(select(rooms.c.id).where(over)))
    gone = await rows.remove(database, rooms, over)
    return gone + await rows.remove(database, files, files.c.swept_at < before)


def _deleted_before(table: Table, before: object) -> ColumnElement[bool]:
    return table.c.deleted_at < before
