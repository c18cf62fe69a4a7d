"""Routes of `/api/admin/audit`."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

from hortus.admin.audit import service
from hortus.auth import Admin
from hortus.core.db.paging import Page
from hortus.core.schemas import Time
from hortus.core.web.deps import PageParams, ReadTx
from hortus.core.web.openapi import make_router

router = make_router("/api/admin/audit", "admin")
Word = Annotated[str | None, Query(max_length=200, pattern=r"^[\x21-\x7e]+$")]


class EventOut(BaseModel):
    """One action. Actions at the command line have no `actor_id`; an erased `note` is null."""

    position: int
    at: Time
    actor_id: str | None
    actor_role: str
    action: str
    target_kind: str
    target_id: str | None
    details: dict[str, Any]
    note: str | None
    request_id: str
    digest: str


class BrokenOut(BaseModel):
    """One error in the chain."""

    position: int
    what: str


class AuditVerificationOut(BaseModel):
    """Result of the check. Continue with `after=last` until `finished`; keep `head` and `head_digest` elsewhere."""

    intact: bool = Field(description="Nothing broken among the events that were checked")
    finished: bool
    checked: int
    last: int
    head: int
    head_digest: str
    notes_erased: int
    broken: list[BrokenOut]


@router.get("", operation_id="list_audit")
async def list_events(
    _caller: Admin,
    tx: ReadTx,
    paging: PageParams,
    actor_id: Word = None,
    target_id: Word = None,
    action: Word = None,
) -> Page[EventOut]:
    """Actions of administrators, newest first; filter by actor, target or action."""
    page = await service.find_events(tx, paging, actor_id=actor_id, target_id=target_id, action=action)
    shown = [
        EventOut(
            position=event.position,
            at=event.at,
            actor_id=event.actor_id,
            actor_role=event.actor_role,
            action=event.action,
            target_kind=event.target_kind,
            target_id=event.target_id,
            details=event.details,
            note=note,
            request_id=event.request_id,
            digest=event.digest,
        )
        for event, note in page.items
    ]
    return Page(items=shown, next_cursor=page.next_cursor)


@router.get("/verify", operation_id="verify_audit")
async def verify(
    _caller: Admin,
    tx: ReadTx,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=50_000)] = 10_000,
) -> AuditVerificationOut:
    """Verify the hash chain of the audit log, `limit` events at a time."""
    check = await service.verify(tx, after=after, limit=limit)
    return AuditVerificationOut(
        intact=not check.broken,
        finished=check.finished,
        checked=check.checked,
        last=check.last,
        head=check.head,
        head_digest=check.head_digest,
        notes_erased=check.notes_erased,
        broken=[BrokenOut(**each) for each in check.broken],
    )
