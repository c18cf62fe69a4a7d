"""Audit log: append events, list them, verify the chain."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import delete, func, insert, select, update

from hortus.accounts import Principal
from hortus.admin.audit.tables import AuditEvent, AuditHead, AuditNote
from hortus.core import clock, context
from hortus.core.db import Tx
from hortus.core.db.paging import Page, PageRequest, page_of
from hortus.core.errors import Invalid

log = structlog.get_logger()
GENESIS = "0" * 64
MAX_ERRORS = 20
"""Errors listed by one check; the first one matters most."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A user in a role, or the operator at the command line (no id, role `console`)."""

    user_id: str | None
    role: str


CONSOLE = Actor(None, "console")


def actor_of(caller: Principal) -> Actor:
    """The caller as an actor of the audit log."""
    return Actor(caller.user_id, caller.role)


async def record(
    tx: Tx,
    actor: Actor,
    action: str,
    target: tuple[str, str | None],
    details: dict[str, Any] | None = None,
    *,
    note: str | None = None,
) -> int:
    """Append an action of `actor` on `target` (kind, id) in the transaction that does it. Returns its position.

    `details` holds ids, constants and amounts, never personal data; the administrator's own text goes into `note`.
    Call it last: until the commit no other transaction can append.
    """
    end = update(AuditHead).where(AuditHead.id == 1).values(position=AuditHead.position + 1)
    position, previous = (await tx.execute(end.returning(AuditHead.position, AuditHead.digest))).one()
    salt = secrets.token_hex(16)
    row: dict[str, Any] = {
        "position": position,
        "at": clock.now(),
        "actor_id": actor.user_id,
        "actor_role": actor.role,
        "action": action,
        "target_kind": target[0],
        "target_id": target[1],
        "details": details or {},
        "note_digest": _note_digest(salt, note) if note else None,
        "request_id": context.request_id.get(),
        "previous": previous,
    }
    row["digest"] = _digest(row)
    await tx.execute(insert(AuditEvent), row)
    if note:
        await tx.execute(insert(AuditNote), {"position": position, "salt": salt, "text": note})
    await tx.execute(update(AuditHead).where(AuditHead.id == 1).values(digest=row["digest"]))
    # Where logs are shipped to another system, this line reveals a chain whose end was cut off.
    tx.after_commit(lambda: log.info("audit", position=position, action=action, digest=row["digest"]))
    return int(position)


def _note_digest(salt: str, note: str) -> str:
    return hmac.digest(salt.encode(), note.encode(), "sha256").hex()


def _digest(row: dict[str, Any]) -> str:
    covered = [clock.iso(row["at"]), *(row[name] for name in _COVERED)]
    return hashlib.sha256(json.dumps(covered, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


_COVERED = (
    "position",
    "actor_id",
    "actor_role",
    "action",
    "target_kind",
    "target_id",
    "details",
    "note_digest",
    "request_id",
    "previous",
)


async def find_events(
    tx: Tx,
    paging: PageRequest,
    *,
    actor_id: str | None = None,
    target_id: str | None = None,
    action: str | None = None,
) -> Page[Any]:
    """(event, note or None) newest first."""
    query = select(AuditEvent, AuditNote.text).outerjoin(AuditNote, AuditNote.position == AuditEvent.position)
    wanted = ((AuditEvent.actor_id, actor_id), (AuditEvent.target_id, target_id), (AuditEvent.action, action))
    for column, value in wanted:
        if value is not None:
            query = query.where(column == value)
    key = paging.after()
    if key is not None:
        if len(key) != 1 or not (key[0].isascii() and key[0].isdigit() and len(key[0]) < 19):
            raise Invalid(
                "`cursor` is not one that this list gave out.", errors=[{"field": "cursor", "detail": "unknown"}]
            )
        query = query.where(AuditEvent.position < int(key[0]))
    rows = (await tx.execute(query.order_by(AuditEvent.position.desc()).limit(paging.limit + 1))).all()
    shown, cursor = page_of(rows, paging, lambda row: (str(row[0].position),))
    return Page(items=shown, next_cursor=cursor)


@dataclass(slots=True)
class AuditVerification:
    """Result of verifying a part of the chain, which is intact when `broken` is empty.

    `last` is the last verified position and `head` the end of the chain with its digest. A copy of both, kept
    elsewhere, detects a log that was rewritten later.
    """

    checked: int = 0
    last: int = 0
    last_digest: str = GENESIS
    head: int = 0
    head_digest: str = GENESIS
    notes_erased: int = 0
    broken: list[dict[str, Any]] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Whether the check reached the end of the chain."""
        return self.last >= self.head

    def add_error(self, position: int, what: str) -> None:
        """Add an error at a position."""
        if len(self.broken) < MAX_ERRORS:
            self.broken.append({"position": position, "what": what})


async def verify(tx: Tx, *, after: int = 0, limit: int = 10_000) -> AuditVerification:
    """Recompute the chain over up to `limit` events after position `after`, including notes and the end."""
    newest = select(func.max(AuditEvent.position)).scalar_subquery()
    ends = select(AuditHead.position, AuditHead.digest, func.coalesce(newest, 0)).where(AuditHead.id == 1)
    found = (await tx.execute(ends)).one_or_none()
    check = AuditVerification(last=after)
    if found is None:
        check.add_error(0, "the row of the end of the chain is missing")
        return check
    check.head, check.head_digest, kept = found
    if kept > check.head:
        check.add_error(kept, "an event lies after the end of the chain")
    if after:
        before = select(AuditEvent.digest).where(AuditEvent.position == after)
        check.last_digest = (await tx.execute(before)).scalar_one_or_none() or GENESIS
    until = min(check.head, after + limit)
    while check.last < until:
        batch = await _batch(tx, check.last, min(500, until - check.last))
        if not batch:
            check.add_error(check.last + 1, "events are missing up to the end of the chain")
            check.last = check.head
            return check
        _verify_batch(check, batch)
    if check.finished and not check.broken and check.last_digest != check.head_digest:
        check.add_error(check.head, "the end of the chain is not its last event")
    return check


async def _batch(tx: Tx, after: int, count: int) -> Sequence[Any]:
    query = (
        select(*AuditEvent.__table__.c, AuditNote.salt, AuditNote.text)
        .outerjoin(AuditNote, AuditNote.position == AuditEvent.position)
        .where(AuditEvent.position > after)
        .order_by(AuditEvent.position)
        .limit(count)
    )
    return (await tx.execute(query)).mappings().all()


def _verify_batch(check: AuditVerification, batch: Sequence[Any]) -> None:
    for row in batch:
        position = row["position"]
        if position != check.last + 1:
            check.add_error(check.last + 1, "an event is missing")
        elif row["previous"] != check.last_digest:
            check.add_error(position, "the event does not follow the one before it")
        if row["digest"] != _digest(dict(row)):
            check.add_error(position, "the event was changed")
        if row["text"] is None:
            check.notes_erased += int(row["note_digest"] is not None)
        elif row["note_digest"] is None or _note_digest(row["salt"], row["text"]) != row["note_digest"]:
            check.add_error(position, "the note was changed")
        check.checked += 1
        check.last, check.last_digest = position, row["digest"]


async def erase_notes(tx: Tx, target_id: str) -> int:
    """Erase the notes on actions on an erased user. Returns the number of notes."""
    about = select(AuditEvent.position).where(AuditEvent.target_id == target_id)
    gone = delete(AuditNote).where(AuditNote.position.in_(about)).returning(AuditNote.position)
    return len((await tx.execute(gone.execution_options(synchronize_session=False))).all())
