"""Routes over one's own addresses and numbers: list, add, verify, remove."""

from typing import Annotated, Any

from fastapi import Request
from fastapi.responses import JSONResponse

from hortus.accounts import identifiers
from hortus.auth import identifier_verification, otp
from hortus.auth.deps import Caller, RecentCaller, limited_caller
from hortus.auth.errors import WrongCode
from hortus.auth.otp import OtpHasher
from hortus.auth.otp.requests import otp_request
from hortus.auth.otp.schemas import AddIdentifierIn, IdentifierOut, OtpSentOut, VerifyIdentifierIn
from hortus.core.db import Database
from hortus.core.db.paging import Page
from hortus.core.errors import Problem
from hortus.core.schemas import Id
from hortus.core.web.deps import AllResources, IdempotencyHeader, ReadTx, WriteTx, no_resource, resource
from hortus.core.web.openapi import make_router

router = make_router("/api/user/identifiers", "user")


@router.get("")
async def list_identifiers(caller: Caller, tx: ReadTx) -> Page[IdentifierOut]:
    """Your addresses and numbers, and which of them are verified. There are few: one page holds them all."""
    found = await identifiers.identifiers_of(tx, caller.user_id)
    return Page(items=[_shown(each) for each in found], next_cursor=None)


@router.post("", status_code=202, response_model=OtpSentOut, dependencies=[limited_caller("add_identifier", "10/hour")])
async def add_identifier(
    body: AddIdentifierIn,
    request: Request,
    caller: RecentCaller,
    hasher: Annotated[OtpHasher, resource(OtpHasher)],
    tx: WriteTx,
    once: IdempotencyHeader,
) -> JSONResponse:
    """Send a code to an e-mail address or mobile number; it is added once the code is verified."""
    requested = otp_request(request, "link", body.target(hasher), subject=caller.user_id)

    async def send() -> OtpSentOut:
        await identifiers.check_identifier_limit(tx, caller.user_id)
        await otp.request_otp(tx, hasher, requested)
        return OtpSentOut()

    return await once.answer(tx, caller.user_id, body, send, again=no_resource, status=202)


@router.post("/verify", dependencies=[limited_caller("verify_identifier", "30/minute")])
async def verify_identifier(
    body: VerifyIdentifierIn, request: Request, caller: Caller, resources: AllResources
) -> IdentifierOut:
    """Add the address or number with the code that came there; it signs in from now on."""
    hasher = resources[OtpHasher]
    requested = otp_request(request, "link", body.target(hasher), subject=caller.user_id)
    async with resources[Database].transaction() as tx:
        verified = await otp.check_otp(tx, hasher, requested, body.code)
        answer = (
            await identifier_verification.add(tx, caller.user_id, requested.target)
            if verified is not None
            else WrongCode()
        )
    if isinstance(answer, Problem):
        raise answer
    return _shown(answer)


@router.delete("/{identifier_id}", status_code=204)
async def remove_identifier(identifier_id: Id, caller: RecentCaller, tx: WriteTx) -> None:
    """Remove an e-mail address or mobile number. The last credential cannot be removed."""
    await identifier_verification.remove(tx, caller.user_id, identifier_id)


def _shown(row: Any) -> IdentifierOut:
    return IdentifierOut(
        id=row.id, kind=row.kind, value=row.value, verified=row.verified_at is not None, created_at=row.created_at
    )
