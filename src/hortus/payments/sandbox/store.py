"""Storage of the sandbox's objects and events. Each function works in the caller's transaction."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, insert, select, update

from hortus.core import clock
from hortus.core.db import Tx
from hortus.payments.sandbox.tables import SandboxEvent, SandboxObject

ObjectKind = Literal["checkout", "subscription", "payment"]
PREFIXES = {
    "checkout": "sbx_co_",
    "subscription": "sbx_sub_",
    "payment": "sbx_pay_",
    "price": "sbx_price_",
    "refund": "sbx_re_",
    "dispute": "sbx_dp_",
    "change": "sbx_ch_",
}


@dataclass(slots=True)
class StoredObject:
    """One object; change `body` and `save` it."""

    id: str
    kind: str
    parent: str | None
    body: dict[str, Any]
    created_at: datetime


async def make(
    tx: Tx,
    kind: str,
    body: dict[str, Any],
    *,
    parent: str | None = None,
    key: str | None = None,
    due_at: datetime | None = None,
) -> tuple[StoredObject, bool]:
    """Create an object, or find the one created with `key`; return it and whether it is new."""
    row = {
        "id": PREFIXES[kind] + secrets.token_urlsafe(18),
        "kind": kind,
        "parent": parent,
        "key": None if key is None else f"{kind}:{key}",
        "body": body,
        "due_at": due_at,
        "created_at": clock.now(),
    }
    made = await tx.execute(
        tx.insert(SandboxObject)
        .values(**row)
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(SandboxObject.id)
    )
    if made.first() is not None:
        return StoredObject(row["id"], kind, parent, body, row["created_at"]), True  # type: ignore[arg-type]
    (found,) = await _read(tx, SandboxObject.key == row["key"])
    return found, False


async def find(tx: Tx, kind: str, id: str, *, lock: bool = False) -> StoredObject | None:
    """The object of that kind and id, locked until the end of the transaction with `lock`."""
    found = await _read(tx, SandboxObject.id == id, SandboxObject.kind == kind, lock=lock)
    return found[0] if found else None


async def children(tx: Tx, parent: str, kind: str) -> list[StoredObject]:
    """The children of a kind, oldest first."""
    return await _read(tx, SandboxObject.parent == parent, SandboxObject.kind == kind)


async def due(tx: Tx, kind: str, moment: datetime, limit: int = 50) -> Sequence[str]:
    """Ids of the objects that are due by `moment`."""
    query = (
        select(SandboxObject.id)
        .where(SandboxObject.kind == kind, SandboxObject.due_at <= moment)
        .order_by(SandboxObject.due_at)
        .limit(limit)
    )
    return (await tx.execute(query)).scalars().all()


async def save(tx: Tx, obj: StoredObject, *, due_at: datetime | None = None) -> None:
    """Save the body and the next due time."""
    await tx.execute(update(SandboxObject).where(SandboxObject.id == obj.id).values(body=obj.body, due_at=due_at))


async def record_event(tx: Tx, kind: str, subject_kind: ObjectKind, subject_id: str) -> str:
    """Insert an event; return its id."""
    event_id = "sbx_evt_" + secrets.token_urlsafe(18)
    row = {"id": event_id, "kind": kind, "subject_kind": subject_kind, "subject_id": subject_id}
    await tx.execute(insert(SandboxEvent).values(**row, created_at=clock.now()))
    return event_id


async def event(tx: Tx, id: str) -> SandboxEvent | None:
    """The event with that id."""
    return (await tx.execute(select(SandboxEvent).where(SandboxEvent.id == id))).scalar_one_or_none()


async def events_since(tx: Tx, since: datetime, after: str, limit: int) -> Sequence[SandboxEvent]:
    """A page of events from `since` on, oldest first; `after` is the last event id of the previous page."""
    query = (
        select(SandboxEvent)
        .where((SandboxEvent.created_at > since) | ((SandboxEvent.created_at == since) & (SandboxEvent.id > after)))
        .order_by(SandboxEvent.created_at, SandboxEvent.id)
        .limit(limit)
    )
    return (await tx.execute(query)).scalars().all()


async def delete_events(tx: Tx, before: datetime) -> None:
    """Delete the events created before `before`."""
    await tx.execute(delete(SandboxEvent).where(SandboxEvent.created_at < before))


async def _read(tx: Tx, *conditions: Any, lock: bool = False) -> list[StoredObject]:
    query = select(SandboxObject).where(*conditions).order_by(SandboxObject.created_at, SandboxObject.id)
    rows = (await tx.execute(query.with_for_update() if lock else query)).scalars().all()
    return [StoredObject(row.id, row.kind, row.parent, dict(row.body), row.created_at) for row in rows]
