"""Routes of `/api/auth/totp`: set up, verify and disable the second factor."""

from typing import Annotated

from fastapi import Request

from hortus.accounts import users as people
from hortus.auth import step_up
from hortus.auth.deps import SECOND_FACTOR_LIMIT, Caller, RecentCaller
from hortus.auth.mfa import service
from hortus.auth.mfa.schemas import (
    RecoveryCodesOut,
    SecondFactorIn,
    TotpConfirmIn,
    TotpSetupOut,
    TotpStatusOut,
    TotpVerifyIn,
)
from hortus.auth.otp import notify_user
from hortus.auth.schemas import ReauthenticatedOut, TokensOut
from hortus.auth.sign_in import SIGN_IN_AGAIN, complete_sign_in
from hortus.core.db import Database
from hortus.core.errors import Problem
from hortus.core.settings import Settings
from hortus.core.web.deps import (
    AllResources,
    IdempotencyHeader,
    ReadTx,
    WriteTx,
    network_of,
    rate_limit_failures,
    resource,
)
from hortus.core.web.openapi import make_router, public

router = make_router("/api/auth/totp", "auth")
Configured = Annotated[Settings, resource(Settings)]
ALREADY_SHOWN = (
    "The recovery codes were shown once. If that answer was lost, request new ones with a new idempotency key."
)


def _keys(settings: Settings) -> tuple[bytes, ...]:
    return settings.keys_for("second factors")


@router.get("")
async def totp_status(caller: Caller, tx: ReadTx) -> TotpStatusOut:
    """Whether an authenticator app is active, and how many recovery codes are left."""
    found = await service.status_of(tx, caller.user_id)
    return TotpStatusOut(
        active=found.active, confirmed_at=found.confirmed_at, recovery_codes_left=found.recovery_codes_left
    )


@router.post("/setup")
async def totp_setup(caller: RecentCaller, tx: WriteTx, settings: Configured, once: IdempotencyHeader) -> TotpSetupOut:
    """A secret for an authenticator app. It counts once a code of it is confirmed."""
    await once.first_only(tx, caller.user_id, None, "The secret was shown once. Begin again with a new key.")
    profile = await people.profile_of(tx, caller.user_id)
    account = profile.email or profile.mobile_number or profile.id
    secret, address = await service.set_up_totp(tx, _keys(settings), caller.user_id, account)
    return TotpSetupOut(secret=secret, otpauth_uri=address)


@router.post("/confirm", dependencies=SECOND_FACTOR_LIMIT)
async def totp_confirm(
    body: TotpConfirmIn, caller: RecentCaller, resources: AllResources, once: IdempotencyHeader
) -> RecoveryCodesOut:
    """Activate the authenticator app. From now on, signing in requires its code or a recovery code."""
    async with resources[Database].transaction() as tx:
        await once.first_only(tx, caller.user_id, body, ALREADY_SHOWN)
        codes = await service.confirm_totp(tx, _keys(resources[Settings]), caller.user_id, body.code)
        if isinstance(codes, Problem):
            await once.give_up(tx, caller.user_id, body)
        else:
            await step_up.mark_two_factors(tx, caller)
    if isinstance(codes, Problem):
        raise codes
    return RecoveryCodesOut(recovery_codes=codes)


@router.post("/disable", status_code=204, dependencies=SECOND_FACTOR_LIMIT)
async def totp_disable(body: SecondFactorIn, caller: RecentCaller, resources: AllResources) -> None:
    """Take the authenticator app and its recovery codes away, against one of its codes."""
    async with resources[Database].transaction() as tx:
        refusal = await service.disable_totp(tx, _keys(resources[Settings]), caller.user_id, body.attempt)
        if refusal is None:
            await notify_user(tx, caller.user_id, "second_factor_removed")
    if refusal is not None:
        raise refusal


@router.post("/recovery-codes")
async def totp_recovery_codes(
    caller: RecentCaller, tx: WriteTx, settings: Configured, once: IdempotencyHeader
) -> RecoveryCodesOut:
    """Ten fresh recovery codes; the ones before stop working."""
    await once.first_only(tx, caller.user_id, None, ALREADY_SHOWN)
    codes = await service.new_recovery_codes(tx, _keys(settings), caller.user_id)
    return RecoveryCodesOut(recovery_codes=codes)


@router.post(
    "/verify",
    dependencies=[rate_limit_failures("totp_verify", "20/minute")],
    openapi_extra=public("the second half of signing in"),
)
async def totp_verify(
    body: TotpVerifyIn, request: Request, resources: AllResources, once: IdempotencyHeader
) -> TokensOut:
    """Complete a sign-in with the second factor, within five minutes and five attempts."""
    async with resources[Database].transaction() as tx:
        await once.first_only(tx, network_of(request), body, SIGN_IN_AGAIN)
        answer = await service.answer_challenge(tx, _keys(resources[Settings]), body.challenge, body.attempt)
        tokens = (
            answer
            if isinstance(answer, Problem)
            else await complete_sign_in(tx, request, resources, answer, method=body.method, two_factors=True)
        )
        if isinstance(tokens, Problem):
            await once.give_up(tx, network_of(request), body)
    if isinstance(tokens, Problem):
        raise tokens
    return tokens


@router.post("/reauthenticate", dependencies=SECOND_FACTOR_LIMIT)
async def totp_reauthenticate(body: SecondFactorIn, caller: Caller, resources: AllResources) -> ReauthenticatedOut:
    """Reauthenticate with a code of the authenticator app or a recovery code."""
    async with resources[Database].transaction() as tx:
        refusal = await service.verify_second_factor(tx, _keys(resources[Settings]), caller.user_id, body.attempt)
        if refusal is None:
            authenticated_at = await step_up.mark_reauthenticated(tx, caller, body.method)
            await step_up.mark_two_factors(tx, caller)
    if refusal is not None:
        raise refusal
    return ReauthenticatedOut(authenticated_at=authenticated_at, method=body.method)
