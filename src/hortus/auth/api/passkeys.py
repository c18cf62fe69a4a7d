"""Routes of `/api/auth/passkey`: register, use, rename and remove passkeys."""

from typing import Annotated, Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from hortus.accounts import Principal
from hortus.accounts import users as people
from hortus.auth import otp, step_up
from hortus.auth.credentials import require_remaining_credential
from hortus.auth.deps import SECOND_FACTOR_LIMIT, Caller, RecentCaller
from hortus.auth.passkeys import service, webauthn
from hortus.auth.passkeys.challenges import CHALLENGE_SECONDS, Purpose, open_challenge, use_challenge
from hortus.auth.passkeys.errors import BadPasskey, PasskeyNotVerified
from hortus.auth.passkeys.relying_party import relying_party_of
from hortus.auth.passkeys.schemas import (
    PasskeyOptionsOut,
    PasskeyOut,
    PasskeyRegisterIn,
    PasskeyRenameIn,
    PasskeyUseIn,
)
from hortus.auth.schemas import ReauthenticatedOut, TokensOut
from hortus.auth.sign_in import SIGN_IN_AGAIN, complete_sign_in
from hortus.auth.tables import Passkey
from hortus.core.db import Database, Tx
from hortus.core.db.paging import Page
from hortus.core.errors import Problem
from hortus.core.resources import Resources
from hortus.core.schemas import Id
from hortus.core.settings import Settings
from hortus.core.web.deps import (
    AllResources,
    IdempotencyHeader,
    PageParams,
    ReadTx,
    WriteTx,
    network_of,
    rate_limit,
    rate_limit_failures,
    resource,
)
from hortus.core.web.openapi import make_router, public

router = make_router("/api/auth/passkey", "auth")
Configured = Annotated[Settings, resource(Settings)]


@router.post("/register/options", dependencies=SECOND_FACTOR_LIMIT)
async def passkey_register_options(caller: RecentCaller, tx: WriteTx, settings: Configured) -> PasskeyOptionsOut:
    """WebAuthn options to register a passkey on this device, for one use in this session."""
    relying_party, profile = relying_party_of(settings), await people.profile_of(tx, caller.user_id)
    account = profile.email or profile.mobile_number or profile.id
    known = await service.credential_ids(tx, caller.user_id)
    challenge = await open_challenge(tx, "register", user_id=caller.user_id, session_id=caller.session_id)
    options = webauthn.creation_options(relying_party, challenge, caller.user_id, account, profile.name, known)
    return PasskeyOptionsOut(public_key=options, expires_in=CHALLENGE_SECONDS)


@router.post("/register", status_code=201, response_model=PasskeyOut, dependencies=SECOND_FACTOR_LIMIT)
async def passkey_register(
    body: PasskeyRegisterIn, caller: RecentCaller, resources: AllResources, once: IdempotencyHeader
) -> JSONResponse:
    """Register the new passkey. A passkey counts as both factors."""
    credential = body.credential.model_dump(by_alias=True)
    challenge = webauthn.challenge_in(credential)
    key = webauthn.verify_registration(relying_party_of(resources[Settings]), credential, challenge)

    async def keep() -> PasskeyOut:
        if key is None or not await _used(tx, challenge, caller, "register"):
            raise PasskeyNotVerified
        made = await service.add_passkey(tx, caller.user_id, key, body.name)
        await step_up.mark_two_factors(tx, caller)
        await otp.notify_user(tx, caller.user_id, "passkey_added")
        return _shown(made)

    async def again(kept: dict[str, Any]) -> None:
        await service.require_passkey(tx, caller.user_id, kept["id"])

    async with resources[Database].transaction() as tx:
        return await once.answer(tx, caller.user_id, body, keep, again=again, status=201)


@router.post(
    "/login/options",
    dependencies=[rate_limit("passkey_options", "300/minute")],
    openapi_extra=public("signing in begins here"),
)
async def passkey_login_options(tx: WriteTx, settings: Configured) -> PasskeyOptionsOut:
    """WebAuthn options to sign in. They are the same for everyone: the user selects the account in the browser."""
    relying_party = relying_party_of(settings)
    options = webauthn.request_options(relying_party, await open_challenge(tx, "login"), [])
    return PasskeyOptionsOut(public_key=options, expires_in=CHALLENGE_SECONDS)


@router.post(
    "/login",
    dependencies=[rate_limit_failures("passkey_login", "20/minute")],
    openapi_extra=public("this is signing in"),
)
async def passkey_login(
    body: PasskeyUseIn, request: Request, resources: AllResources, once: IdempotencyHeader
) -> TokensOut:
    """Sign in with a passkey, without password or code."""
    challenge, signed = await _check(body, resources)
    async with resources[Database].transaction() as tx:
        await once.first_only(tx, network_of(request), body, SIGN_IN_AGAIN)
        fresh = await use_challenge(tx, challenge, "login")
        answer: Problem | TokensOut = BadPasskey()
        if fresh and signed is not None and signed.assertion.user_handle == signed.key.user_id.encode():
            answer = await service.record_assertion(tx, signed.key, signed.assertion) or await complete_sign_in(
                tx, request, resources, signed.key.user_id, method="passkey", two_factors=True
            )
        if isinstance(answer, Problem):
            await once.give_up(tx, network_of(request), body)
    if isinstance(answer, Problem):
        raise answer
    return answer


@router.post("/reauthenticate/options", dependencies=SECOND_FACTOR_LIMIT)
async def passkey_reauthenticate_options(caller: Caller, tx: WriteTx, settings: Configured) -> PasskeyOptionsOut:
    """WebAuthn options to reauthenticate, for one use in this session."""
    relying_party, known = relying_party_of(settings), await service.credential_ids(tx, caller.user_id)
    challenge = await open_challenge(tx, "step_up", user_id=caller.user_id, session_id=caller.session_id)
    return PasskeyOptionsOut(
        public_key=webauthn.request_options(relying_party, challenge, known), expires_in=CHALLENGE_SECONDS
    )


@router.post("/reauthenticate", dependencies=SECOND_FACTOR_LIMIT)
async def passkey_reauthenticate(body: PasskeyUseIn, caller: Caller, resources: AllResources) -> ReauthenticatedOut:
    """Reauthenticate with a passkey, which counts as both factors."""
    challenge, signed = await _check(body, resources)
    async with resources[Database].transaction() as tx:
        fresh = await _used(tx, challenge, caller, "step_up")
        answer: Problem | ReauthenticatedOut = BadPasskey()
        if fresh and signed is not None and signed.key.user_id == caller.user_id:
            refusal = await service.record_assertion(tx, signed.key, signed.assertion)
            answer = refusal or await _reauthenticated(tx, caller)
    if isinstance(answer, Problem):
        raise answer
    return answer


@router.get("")
async def list_passkeys(caller: Caller, tx: ReadTx, paging: PageParams) -> Page[PasskeyOut]:
    """Your passkeys, newest first."""
    page = await service.list_passkeys(tx, caller.user_id, paging)
    return Page(items=[_shown(row) for row in page.items], next_cursor=page.next_cursor)


@router.patch("/{passkey_id}")
async def rename_passkey(passkey_id: Id, body: PasskeyRenameIn, caller: Caller, tx: WriteTx) -> PasskeyOut:
    """Rename a passkey."""
    return _shown(await service.rename_passkey(tx, caller.user_id, passkey_id, body.name))


@router.delete("/{passkey_id}", status_code=204, response_class=Response)
async def remove_passkey(passkey_id: Id, caller: RecentCaller, tx: WriteTx) -> None:
    """Remove a passkey. The last credential cannot be removed."""
    await service.remove_passkey(tx, caller.user_id, passkey_id)
    await require_remaining_credential(tx, caller.user_id)
    await otp.notify_user(tx, caller.user_id, "passkey_removed", time=otp.message_time())


async def _check(body: PasskeyUseIn, resources: Resources) -> tuple[bytes, service.VerifiedAssertion | None]:
    """The challenge of the response and the verified assertion, before any transaction."""
    credential = body.credential.model_dump(by_alias=True)
    challenge = webauthn.challenge_in(credential)
    async with resources[Database].snapshot() as tx:
        key = await service.find_passkey(tx, body.credential.id)
    relying_party = relying_party_of(resources[Settings])
    assertion = (
        webauthn.verify_assertion(relying_party, credential, challenge, key.public_key) if key is not None else None
    )
    return challenge, (service.VerifiedAssertion(key, assertion) if key is not None and assertion is not None else None)


async def _used(tx: Tx, challenge: bytes, caller: Principal, purpose: Purpose) -> bool:
    return await use_challenge(tx, challenge, purpose, user_id=caller.user_id, session_id=caller.session_id)


async def _reauthenticated(tx: Tx, caller: Principal) -> ReauthenticatedOut:
    at = await step_up.mark_reauthenticated(tx, caller, "passkey")
    await step_up.mark_two_factors(tx, caller)
    return ReauthenticatedOut(authenticated_at=at, method="passkey")


def _shown(row: Passkey) -> PasskeyOut:
    return PasskeyOut(
        id=row.id,
        name=row.name,
        backed_up=row.backed_up,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        regressed_at=row.regressed_at,
    )
