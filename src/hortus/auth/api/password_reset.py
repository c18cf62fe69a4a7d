"""Routes that choose a new password."""

from fastapi import Request
from fastapi.responses import JSONResponse

from hortus.accounts import users
from hortus.auth import otp, password_reset, throttle
from hortus.auth.access import RevokedAccess
from hortus.auth.deps import Caller, limited_caller
from hortus.auth.errors import BadPassword
from hortus.auth.otp import BadCode, BadLink, OtpHasher, Target
from hortus.auth.otp.requests import otp_request
from hortus.auth.otp.schemas import OtpSentOut
from hortus.auth.password_policy import PasswordPolicy
from hortus.auth.password_reset.schemas import ChangedOut, ChangeIn, RequestResetIn, ResetIn
from hortus.auth.passwords import PasswordPool
from hortus.auth.step_up import require_recent_authentication
from hortus.auth.throttle import Throttle
from hortus.core import rate_limits
from hortus.core.db import Database, Tx
from hortus.core.errors import Invalid, Problem
from hortus.core.web.deps import (
    AllResources,
    IdempotencyHeader,
    counting_failures,
    hit_limit,
    network_of,
    no_resource,
    rate_limit,
)
from hortus.core.web.openapi import make_router, public

router = make_router("/api")
rate_limits.declare("request_password_reset", "reset_password", "reset_password_link")
_FORGOTTEN = public("a user without their password cannot sign in")


@router.post(
    "/auth/forgot-password",
    tags=["auth"],
    operation_id="forgot_password",
    openapi_extra=_FORGOTTEN,
    response_model=OtpSentOut,
)
@router.post(
    "/auth/request-password-reset",
    tags=["auth"],
    openapi_extra=_FORGOTTEN,
    response_model=OtpSentOut,
)
async def request_password_reset(
    body: RequestResetIn, request: Request, resources: AllResources, once: IdempotencyHeader
) -> JSONResponse:
    """Send a link and a code to an address, or a code to a number, of an account. The answer is always the same."""
    hasher = resources[OtpHasher]
    requested = otp_request(request, "reset_password", body.target(hasher))
    await hit_limit(request, "request_password_reset", "3/hour", hasher.target_digest(requested.target))

    async def send() -> OtpSentOut:
        await otp.request_otp(tx, hasher, requested)
        return OtpSentOut()

    async with resources[Database].transaction() as tx:
        return await once.answer(tx, network_of(request), body, send, again=no_resource)


@router.post(
    "/auth/reset-password",
    tags=["auth"],
    dependencies=[rate_limit("reset_password_requests", "60/minute")],
    openapi_extra=public("the token or code is the right"),
)
async def reset_password(body: ResetIn, request: Request, resources: AllResources) -> ChangedOut:
    """Choose a new password by the token of the link or by the code. Every session and API key ends; sign in anew."""
    hasher = resources[OtpHasher]
    target = None
    if body.mobile_number is not None:
        target = otp.mobile(body.mobile_number, hasher.rules.default_phone_region)
    elif body.email is not None:
        target = Target("email", body.email)
    network = network_of(request)
    # A wrong code counts for its target only, so that other users behind this address are not limited.
    limit = (
        ("reset_password", "3/hour", f"{network} {hasher.target_digest(target)}")
        if target is not None
        else ("reset_password_link", "20/hour", network)
    )
    async with counting_failures(request, *limit):
        await resources[PasswordPolicy].check(body.new_password, target.value if target else None)
        password_hash = await resources[PasswordPool].hash(body.new_password)
        async with resources[Database].transaction() as tx:
            if body.token is not None:
                answer = await _by_link(tx, body.token, password_hash)
            else:
                assert target is not None  # noqa: S101 - the schema demands it beside a code
                verified = await otp.check_otp(
                    tx, hasher, otp_request(request, "reset_password", target), body.code or ""
                )
                found = verified.user_id if verified is not None else None
                answer = await password_reset.reset(tx, target, found, password_hash, BadCode()) if found else BadCode()
        if isinstance(answer, Problem):
            raise answer
    detail = "The password was changed. Sign in with the new one."
    return ChangedOut(detail=detail, sessions_ended=answer.sessions, keys_ended=answer.keys)


async def _by_link(tx: Tx, token: str, password_hash: str) -> RevokedAccess | Problem:
    consumed = await otp.consume_link(tx, "reset_password", token)
    if consumed is None:
        return BadLink()
    return await password_reset.reset(tx, consumed.target, consumed.user_id, password_hash, BadLink())


@router.post(
    "/user/change-password",
    tags=["user"],
    operation_id="change_own_password",
    dependencies=[limited_caller("change_password", "10/minute")],
)
@router.post("/auth/change-password", tags=["auth"], dependencies=[limited_caller("change_password", "10/minute")])
async def change_password(body: ChangeIn, caller: Caller, resources: AllResources) -> ChangedOut:
    """Change the password. Every other session ends, and with `revoke_api_keys` every API key.

    The current password is required unless the account has none; a forgotten password is reset by a link or code.
    """
    database, passwords = resources[Database], resources[PasswordPool]
    async with database.snapshot() as tx:
        stored = await users.password_hash_of(tx, caller.user_id)
        profile = await users.profile_of(tx, caller.user_id)
        if body.current_password is None:
            if stored is not None:
                raise Invalid(errors=[{"field": "current_password", "detail": "is needed"}])
            await require_recent_authentication(tx, caller)
    await resources[PasswordPolicy].check(body.new_password, profile.email, profile.name, profile.mobile_number)
    buckets = resources[Throttle].for_reauthentication(caller.user_id) if body.current_password is not None else ()
    if body.current_password is not None:
        if buckets:
            async with database.transaction() as tx:
                await throttle.consume(tx, buckets)
        valid, _ = await passwords.verify(body.current_password, stored)
        if not valid:
            raise BadPassword
    password_hash = await passwords.hash(body.new_password)
    async with database.transaction() as tx:
        if stored is not None and not await users.confirm_password_hash(tx, caller.user_id, stored, None):
            raise BadPassword  # it was changed since it was looked at
        await throttle.refund(tx, buckets)
        ended = await password_reset.change(
            tx, caller.user_id, password_hash, keep=caller.session_id, with_keys=body.revoke_api_keys
        )
    detail = "The password was changed. Every other device was signed out."
    return ChangedOut(detail=detail, sessions_ended=ended.sessions, keys_ended=ended.keys)
