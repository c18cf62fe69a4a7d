"""Give credits, with four eyes above a limit; take a mistake back."""

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

ALONE_WITHIN = timedelta(hours=24)
"""What one administrator gave alone within this time counts together: many small grants are a large one."""
SHOWN_REASON = "Given by the operator"
"""What the customer reads in their history; the administrator's own words stay inside."""


@dataclass(frozen=True, slots=True)
class Gift:
    """What is to be given: micro-credits, and until when they can be spent."""

    user_id: str
    amount: int
    reason: str
    expires_at: datetime | None = None


async def ask(tx: Tx, caller: Principal, gift: Gift, limit: int) -> CreditRequest:
    """Give credits, or ask for a second administrator; `limit` in micro-credits is what one may give alone.

    A second one is needed above it, counting everything the caller gave alone within a day, and always for
    oneself. Raises UserNotFound, and Conflict for an account that was erased.
    """
    await _still_administrator(tx, caller)
    if await accounts.status_of(tx, gift.user_id) == "deleted":
        raise Conflict("This account was deleted.")
    needs_second = gift.user_id == caller.user_id or await _given_alone(tx, caller) + gift.amount > limit
    request_id = ids.new()
    row: dict[str, Any] = {
        "id": request_id,
        "user_id": gift.user_id,
        "amount": gift.amount,
        "reason": gift.reason,
        "status": "pending" if needs_second else "granted",
        "asked_by": caller.user_id,
        "expires_at": gift.expires_at,
        "created_at": clock.now(),
    }
    await tx.execute(insert(CreditRequest), row)
    made = await find(tx, request_id)
    if not needs_second:
        await _grant(tx, made)
    await _note(tx, caller, made, "credits.asked" if needs_second else "credits.granted", gift.reason)
    return made


async def _given_alone(tx: Tx, caller: Principal) -> int:
    """The caller holds the lock of administrators, so nothing of theirs is being added meanwhile."""
    recent = and_(CreditRequest.asked_by == caller.user_id, CreditRequest.created_at > clock.now() - ALONE_WITHIN)
    alone = and_(CreditRequest.decided_by.is_(None), CreditRequest.status == "granted")
    given = select(func.coalesce(func.sum(CreditRequest.amount), 0)).where(recent, alone)
    return int((await tx.execute(given)).scalar_one())


async def approve(tx: Tx, caller: Principal, request_id: str, reason: str) -> CreditRequest:
    """Grant what another administrator asked for, once.

    Raises CreditRequestNotFound, SecondApproverNeeded for whoever asked or would gain, AlreadyDecided, and
    Conflict when whoever asked is no administrator any more.
    """
    administrators = await _still_administrator(tx, caller)
    found = await find(tx, request_id)
    if caller.user_id in (found.asked_by, found.user_id):
        raise SecondApproverNeeded
    if found.status == "pending" and found.asked_by not in administrators:
        raise Conflict("Whoever asked for this is no administrator any more; reject it and ask anew.")
    await _decide(tx, caller, found, "granted")
    await _grant(tx, found)
    await _note(tx, caller, found, "credits.approved", reason)
    return found


async def reject(tx: Tx, caller: Principal, request_id: str, reason: str) -> CreditRequest:
    """Refuse what was asked for, or withdraw one's own wish. Raises CreditRequestNotFound, AlreadyDecided."""
    await _still_administrator(tx, caller)
    found = await find(tx, request_id)
    await _decide(tx, caller, found, "rejected")
    await _note(tx, caller, found, "credits.rejected", reason)
    return found


async def reverse(tx: Tx, caller: Principal, request_id: str, reason: str) -> CreditRequest:
    """Take back what was given by mistake, once; what is spent already becomes a debt.

    Raises CreditRequestNotFound, and AlreadyDecided for what was not granted.
    """
    await _still_administrator(tx, caller)
    found = await find(tx, request_id)
    statement = update(CreditRequest).where(CreditRequest.id == request_id, CreditRequest.status == "granted")
    await _move(tx, found, statement.values(status="reversed"))
    taken = await ledger.claw_back(tx, grant_reference=_reference(found), reference=f"{_reference(found)}:reversed")
    await _note(tx, caller, found, "credits.reversed", reason, taken=str(taken))
    return found


async def _still_administrator(tx: Tx, caller: Principal) -> set[str]:
    """All administrators, locked; whoever was demoted while this call was on its way gives nothing any more."""
    administrators = await accounts.lock_administrators(tx)
    if caller.user_id not in administrators:
        raise Forbidden
    return administrators


async def _decide(tx: Tx, caller: Principal, found: CreditRequest, status: str) -> None:
    statement = update(CreditRequest).where(CreditRequest.id == found.id, CreditRequest.status == "pending")
    await _move(tx, found, statement.values(status=status, decided_by=caller.user_id, decided_at=clock.now()))


async def _move(tx: Tx, found: CreditRequest, statement: Any) -> None:
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


async def _note(tx: Tx, caller: Principal, request: CreditRequest, action: str, reason: str, **more: str) -> None:
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
