"""Objects of the sandbox in its tables. Every verb works in the caller's transaction."""

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
class Thing:
    """One object, as read; `body` may be changed and saved."""

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
) -> tuple[Thing, bool]:
    """A new object, or the one made with `key` before; and whether it is new."""
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
        return Thing(row["id"], kind, parent, body, row["created_at"]), True  # type: ignore[arg-type]
    (found,) = await _read(tx, SandboxObject.key == row["key"])
    return found, False


async def find(tx: Tx, kind: str, id: str, *, lock: bool = False) -> Thing | None:
    """The object of that kind and id; with `lock` nobody else changes it before the transaction ends."""
    found = await _read(tx, SandboxObject.id == id, SandboxObject.kind == kind, lock=lock)
    return found[0] if found else None


async def children(tx: Tx, parent: str, kind: str) -> list[Thing]:
    """The objects of a kind that belong to another one, the oldest first."""
    return await _read(tx, SandboxObject.parent == parent, SandboxObject.kind == kind)


async def due(tx: Tx, kind: str, moment: datetime, limit: int = 50) -> Sequence[str]:
    """Ids of the objects to which something should have happened by then."""
    query = (
        select(SandboxObject.id)
        .where(SandboxObject.kind == kind, SandboxObject.due_at <= moment)
        .order_by(SandboxObject.due_at)
        .limit(limit)
    )
    return (await tx.execute(query)).scalars().all()


async def save(tx: Tx, thing: Thing, *, due_at: datetime | None = None) -> None:
    """Keep what was changed in its body, and when it is due next."""
    await tx.execute(update(SandboxObject).where(SandboxObject.id == thing.id).values(body=thing.body, due_at=due_at))


async def tell(tx: Tx, kind: str, subject_kind: ObjectKind, subject_id: str) -> str:
    """Write an event; its id."""
    event_id = "sbx_evt_" + secrets.token_urlsafe(18)
    row = {"id": event_id, "kind": kind, "subject_kind": subject_kind, "subject_id": subject_id}
    await tx.execute(insert(SandboxEvent).values(**row, created_at=clock.now()))
    return event_id


async def event(tx: Tx, id: str) -> SandboxEvent | None:
    """The event of that id."""
    return (await tx.execute(select(SandboxEvent).where(SandboxEvent.id == id))).scalar_one_or_none()


async def events_since(tx: Tx, since: datetime, after: str, limit: int) -> Sequence[SandboxEvent]:
    """A page of what happened from then on, the oldest first, past the event `after` of that moment."""
    query = (
        select(SandboxEvent)
        .where((SandboxEvent.created_at > since) | ((SandboxEvent.created_at == since) & (SandboxEvent.id > after)))
        .order_by(SandboxEvent.created_at, SandboxEvent.id)
        .limit(limit)
    )
    return (await tx.execute(query)).scalars().all()


async def forget(tx: Tx, before: datetime) -> None:
    """Events are kept for a while, as at any vendor."""
    await tx.execute(delete(SandboxEvent).where(SandboxEvent.created_at < before))


async def _read(tx: Tx, *conditions: Any, lock: bool = False) -> list[Thing]:
    query = select(SandboxObject).where(*conditions).order_by(SandboxObject.created_at, SandboxObject.id)
    rows = (await tx.execute(query.with_for_update() if lock else query)).scalars().all()
    return [Thing(row.id, row.kind, row.parent, dict(row.body), row.created_at) for row in rows]
