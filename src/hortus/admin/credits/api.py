"""Routes of `/api/admin/credits` and `/api/admin/users/{id}/credits`."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi.responses import JSONResponse

from hortus import accounts, ledger
from hortus.admin.credits import service
from hortus.admin.credits.schemas import CreditGrantIn, CreditRequestOut, CreditsOut, RequestStatus
from hortus.admin.credits.tables import CreditRequest
from hortus.admin.deps import RecentAdmin
from hortus.admin.schemas import ReasonIn
from hortus.auth import Admin
from hortus.core.clock import iso
from hortus.core.db.paging import Page
from hortus.core.money import MICRO
from hortus.core.schemas import Id
from hortus.core.settings import Settings
from hortus.core.web.deps import IdempotencyHeader, PageParams, ReadTx, WriteTx, resource
from hortus.core.web.openapi import make_router

router = make_router("/api/admin", "admin")
SettingsOf = Annotated[Settings, resource(Settings)]


def _show(row: CreditRequest) -> CreditRequestOut:
    return CreditRequestOut.model_validate(row, from_attributes=True)


@router.post(
    "/users/{user_id}/credits", status_code=201, operation_id="admin_give_credits", response_model=CreditRequestOut
)
async def give(
    user_id: Id, body: CreditGrantIn, caller: RecentAdmin, tx: WriteTx, settings: SettingsOf, once: IdempotencyHeader
) -> JSONResponse:
    """Grant credits. Above the daily limit of one administrator the request is `pending` until another approves it."""

    async def make() -> CreditRequestOut:
        wanted = service.CreditGrantRequest(user_id, int(body.amount), body.reason, body.expires_at)
        return _show(await service.request_grant(tx, caller, wanted, settings.admin_credit_limit * MICRO))

    async def again(kept: dict[str, Any]) -> None:
        await service.find(tx, kept["id"])

    return await once.answer(tx, caller.user_id, body, make, again=again, status=201)


@router.get("/users/{user_id}/credits", operation_id="admin_read_credits")
async def read_credits(user_id: Id, _caller: Admin, tx: ReadTx, paging: PageParams) -> CreditsOut:
    """Balance of a user and their ledger entries, newest first, in micro-credits."""
    await accounts.status_of(tx, user_id)
    balance = await ledger.balance(tx, user_id)
    lines, cursor = await ledger.entries(tx, user_id, paging)
    shown = [{**asdict(line), "amount": str(line.amount), "created_at": iso(line.created_at)} for line in lines]
    amounts = {"balance": str(balance.balance), "held": str(balance.held), "available": str(balance.available)}
    return CreditsOut(credits=amounts, items=shown, next_cursor=cursor)


@router.get("/credits", operation_id="admin_list_credit_requests")
async def list_requests(
    _caller: Admin, tx: ReadTx, paging: PageParams, status: RequestStatus | None = None, user_id: Id | None = None
) -> Page[CreditRequestOut]:
    """Requests of administrators to grant credits, newest first."""
    page = await service.find_all(tx, paging, status=status, user_id=user_id)
    return Page(items=[_show(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/credits/{credit_id}", operation_id="admin_read_credit_request")
async def read_request(credit_id: Id, _caller: Admin, tx: ReadTx) -> CreditRequestOut:
    """One request to grant credits."""
    return _show(await service.find(tx, credit_id))


@router.post("/credits/{credit_id}/approve", operation_id="admin_approve_credits")
async def approve(credit_id: Id, body: ReasonIn, caller: RecentAdmin, tx: WriteTx) -> CreditRequestOut:
    """Approve another administrator's request and grant the credits."""
    return _show(await service.approve(tx, caller, credit_id, body.reason))


@router.post("/credits/{credit_id}/reject", operation_id="admin_reject_credits")
async def reject(credit_id: Id, body: ReasonIn, caller: RecentAdmin, tx: WriteTx) -> CreditRequestOut:
    """Reject a pending request, or withdraw your own."""
    return _show(await service.reject(tx, caller, credit_id, body.reason))


@router.post("/credits/{credit_id}/reverse", operation_id="admin_reverse_credits")
async def reverse(credit_id: Id, body: ReasonIn, caller: RecentAdmin, tx: WriteTx) -> CreditRequestOut:
    """Claw back credits granted by mistake; the part already spent becomes a debt."""
    return _show(await service.reverse(tx, caller, credit_id, body.reason))
