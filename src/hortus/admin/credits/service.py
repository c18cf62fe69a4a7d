"""Grant credits, above a limit with a second administrator's approval, and reverse mistaken grants."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, insert, select, update

from hortus import accounts, ledger
from hortus.accounts import Principal
from hortus.admin.audit import actor_of, record
from hortus.admin.credits.errors import AlreadyDecided, CreditRequestNotFound, SecondApproverNeeded
from hortus.admin.credits.tables import CreditRequest
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.core.errors import Conflict, Forbidden

SOLE_GRANT_WINDOW = timedelta(hours=24)
"""Grants of one administrator without approval are summed over this window and compared with the limit."""
SHOWN_REASON = "Given by the operator"
"""Reason shown in the customer's history; the administrator's own text is internal."""


@dataclass(frozen=True, slots=True)
class CreditGrantRequest:
    """Micro-credits to grant to a user, and when they expire."""

    user_id: str
    amount: int
    reason: str
    expires_at: datetime | None = None


async def request_grant(tx: Tx, caller: Principal, wanted: CreditGrantRequest, limit: int) -> CreditRequest:
    """Grant credits, or store a request that needs a second administrator's approval.

    Approval is needed when the caller's grants without approval of the last 24 hours exceed `limit` (micro-credits),
    and always for grants to oneself. Raises UserNotFound, and Conflict for an erased account.
    """
    await _lock_administrators(tx, caller)
    if await accounts.status_of(tx, wanted.user_id) == "deleted":
        raise Conflict("This account was deleted.")
    needs_approval = wanted.user_id == caller.user_id or await _sole_grants(tx, caller) + wanted.amount > limit
    request_id = ids.new()
    row: dict[str, Any] = {
        "id": request_id,
        "user_id": wanted.user_id,
        "amount": wanted.amount,
        "reason": wanted.reason,
        "status": "pending" if needs_approval else "granted",
        "asked_by": caller.user_id,
        "expires_at": wanted.expires_at,
        "created_at": clock.now(),
    }
    await tx.execute(insert(CreditRequest), row)
    request = await find(tx, request_id)
    if not needs_approval:
        await _grant(tx, request)
    await _record(tx, caller, request, "credits.requested" if needs_approval else "credits.granted", wanted.reason)
    return request


async def _sole_grants(tx: Tx, caller: Principal) -> int:
    """Sum of the caller's recent grants without approval. The lock on administrators prevents concurrent ones."""
    recent = and_(CreditRequest.asked_by == caller.user_id, CreditRequest.created_at > clock.now() - SOLE_GRANT_WINDOW)
    alone = and_(CreditRequest.decided_by.is_(None), CreditRequest.status == "granted")
    given = select(func.coalesce(func.sum(CreditRequest.amount), 0)).where(recent, alone)
    return int((await tx.execute(given)).scalar_one())


async def approve(tx: Tx, caller: Principal, request_id: str, reason: str) -> CreditRequest:
    """Approve another administrator's request, once, and grant the credits.

    Raises CreditRequestNotFound, AlreadyDecided, SecondApproverNeeded when the caller requested or receives the
    credits, and Conflict when the requester is no longer an administrator.
    """
    administrators = await _lock_administrators(tx, caller)
    found = await find(tx, request_id)
    if caller.user_id in (found.asked_by, found.user_id):
        raise SecondApproverNeeded
    if found.status == "pending" and found.asked_by not in administrators:
        raise Conflict("The requester is no longer an administrator; reject this request and create a new one.")
    await _decide(tx, caller, found, "granted")
    await _grant(tx, found)
    await _record(tx, caller, found, "credits.approved", reason)
    return found


async def reject(tx: Tx, caller: Principal, request_id: str, reason: str) -> CreditRequest:
    """Reject a request, or withdraw one's own. Raises CreditRequestNotFound, AlreadyDecided."""
    await _lock_administrators(tx, caller)
    found = await find(tx, request_id)
    await _decide(tx, caller, found, "rejected")
    await _record(tx, caller, found, "credits.rejected", reason)
    return found


async def reverse(tx: Tx, caller: Principal, request_id: str, reason: str) -> CreditRequest:
    """Claw back credits granted by mistake, once; the part already spent becomes a debt.

    Raises CreditRequestNotFound, and AlreadyDecided for a request that is not granted.
    """
    await _lock_administrators(tx, caller)
    found = await find(tx, request_id)
    statement = update(CreditRequest).where(CreditRequest.id == request_id, CreditRequest.status == "granted")
    await _transition(tx, found, statement.values(status="reversed"))
    taken = await ledger.claw_back(tx, grant_reference=_reference(found), reference=f"{_reference(found)}:reversed")
    await _record(tx, caller, found, "credits.reversed", reason, taken=str(taken))
    return found


async def _lock_administrators(tx: Tx, caller: Principal) -> set[str]:
    """All administrators, locked. Raises Forbidden when the caller was demoted meanwhile."""
    administrators = await accounts.lock_administrators(tx)
    if caller.user_id not in administrators:
        raise Forbidden
    return administrators


async def _decide(tx: Tx, caller: Principal, found: CreditRequest, status: str) -> None:
    statement = update(CreditRequest).where(CreditRequest.id == found.id, CreditRequest.status == "pending")
    await _transition(tx, found, statement.values(status=status, decided_by=caller.user_id, decided_at=clock.now()))


async def _transition(tx: Tx, found: CreditRequest, statement: Any) -> None:
    moved = statement.returning(CreditRequest.id).execution_options(synchronize_session=False)
    if (await tx.execute(moved)).first() is None:
        await tx.refresh(found)
        raise AlreadyDecided(status_now=found.status)
    await tx.refresh(found)


async def _grant(tx: Tx, request: CreditRequest) -> None:
    await ledger.grant(
        tx,
        request.user_id,
        request.amount,
        reference=_reference(request),
        reason=SHOWN_REASON,
        priority=ledger.PRIORITY_GIFT,
        expires_at=request.expires_at,
    )


def _reference(request: CreditRequest) -> str:
    return f"admin:{request.id}"


async def _record(tx: Tx, caller: Principal, request: CreditRequest, action: str, reason: str, **more: str) -> None:
    details = {"credit_id": request.id, "amount": str(request.amount), **more}
    await record(tx, actor_of(caller), action, ("user", request.user_id), details, note=reason)


async def find(tx: Tx, request_id: str) -> CreditRequest:
    """One request; raises CreditRequestNotFound."""
    found = (await tx.execute(select(CreditRequest).where(CreditRequest.id == request_id))).scalar_one_or_none()
    if found is None:
        raise CreditRequestNotFound
    return found


async def find_all(tx: Tx, paging: PageRequest, *, status: str | None = None, user_id: str | None = None) -> Page[Any]:
    """Requests, newest first."""
    query = select(CreditRequest)
    if status is not None:
        query = query.where(CreditRequest.status == status)
    if user_id is not None:
        query = query.where(CreditRequest.user_id == user_id)
    return await newest(tx, query, paging, CreditRequest.id)
