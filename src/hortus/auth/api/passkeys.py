"""Routes of `/api/auth/passkey`: make passkeys, sign in with them, name them, take them away."""

from typing import Annotated, Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from hortus.accounts import users as people
from hortus.accounts.principals import Principal
from hortus.auth import otp, step_up
from hortus.auth.credentials import keep_a_way_in
from hortus.auth.deps import Caller, RecentCaller, limited_caller
from hortus.auth.passkeys import service, webauthn
from hortus.auth.passkeys.challenges import CHALLENGE_SECONDS, Purpose, open_challenge, use_challenge
from hortus.auth.passkeys.errors import BadPasskey, PasskeyNotVerified
from hortus.auth.passkeys.relying_party import site_of
from hortus.auth.passkeys.schemas import (
    PasskeyOptionsOut,
    PasskeyOut,
    PasskeyRegisterIn,
    PasskeyRenameIn,
    PasskeyUseIn,
)
from hortus.auth.schemas import ProvedOut, TokensOut
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
    limited,
    limited_failures,
    network_of,
    resource,
)
from hortus.core.web.openapi import make_router, public

router = make_router("/api/auth/passkey", "auth")
Configured = Annotated[Settings, resource(Settings)]
TRIES = [limited_caller("second_factor", "10/minute")]


@router.post("/register/options", dependencies=TRIES)
async def passkey_register_options(caller: RecentCaller, tx: WriteTx, settings: Configured) -> PasskeyOptionsOut:
    """What to ask the browser for, to make a passkey on this device. Good for this session, once."""
    site, profile = site_of(settings), await people.profile_of(tx, caller.user_id)
    account = profile.email or profile.mobile_number or profile.id
    known = await service.credential_ids(tx, caller.user_id)
    challenge = await open_challenge(tx, "register", user_id=caller.user_id, session_id=caller.session_id)
    options = webauthn.creation_options(site, challenge, caller.user_id, account, profile.name, known)
    return PasskeyOptionsOut(public_key=options, expires_in=CHALLENGE_SECONDS)


@router.post("/register", status_code=201, response_model=PasskeyOut, dependencies=TRIES)
async def passkey_register(
    body: PasskeyRegisterIn, caller: RecentCaller, resources: AllResources, once: IdempotencyHeader
) -> JSONResponse:
    """Keep the passkey that the browser made. It signs in alone: it is both factors at once."""
    credential = body.credential.model_dump(by_alias=True)
    challenge = webauthn.challenge_in(credential)
    key = webauthn.verify_new(site_of(resources.get(Settings)), credential, challenge)

    async def keep() -> PasskeyOut:
        if key is None or not await _used(tx, challenge, caller, "register"):
            raise PasskeyNotVerified
        made = await service.keep_passkey(tx, caller.user_id, key, body.name)
        await step_up.two_factors_proved(tx, caller)
        await otp.tell_user(tx, caller.user_id, "passkey_added")
        return _shown(made)

    async def again(kept: dict[str, Any]) -> None:
        await service.require_passkey(tx, caller.user_id, kept["id"])

    async with resources.get(Database).transaction() as tx:
        return await once.answer(tx, caller.user_id, body, keep, again=again, status=201)


@router.post(
    "/login/options",
    dependencies=[limited("passkey_options", "300/minute")],
    openapi_extra=public("signing in begins here"),
)
async def passkey_login_options(tx: WriteTx, settings: Configured) -> PasskeyOptionsOut:
    """What to ask the browser for, to sign in; the same for everybody: the user picks the account there."""
    site = site_of(settings)
    options = webauthn.request_options(site, await open_challenge(tx, "login"), [])
    return PasskeyOptionsOut(public_key=options, expires_in=CHALLENGE_SECONDS)


@router.post(
    "/login",
    dependencies=[limited_failures("passkey_login", "20/minute")],
    openapi_extra=public("this is signing in"),
)
async def passkey_login(
    body: PasskeyUseIn, request: Request, resources: AllResources, once: IdempotencyHeader
) -> TokensOut:
    """Sign in with a passkey, without password or code."""
    challenge, signed = await _check(body, resources)
    async with resources.get(Database).transaction() as tx:
        await once.first_only(tx, network_of(request), body, SIGN_IN_AGAIN)
        fresh = await use_challenge(tx, challenge, "login")
        answer: Problem | TokensOut = BadPasskey()
        if fresh and signed is not None and signed.use.user_handle == signed.key.user_id.encode():
            answer = await service.note_use(tx, signed.key, signed.use) or await complete_sign_in(
                tx, request, resources, signed.key.user_id, method="passkey", two_factors=True
            )
        if isinstance(answer, Problem):
            await once.give_up(tx, network_of(request), body)
    if isinstance(answer, Problem):
        raise answer
    return answer


@router.post("/reauthenticate/options", dependencies=TRIES)
async def passkey_reauthenticate_options(caller: Caller, tx: WriteTx, settings: Configured) -> PasskeyOptionsOut:
    """What to ask the browser for, to prove again that it is you. Good for this session, once."""
    site, known = site_of(settings), await service.credential_ids(tx, caller.user_id)
    challenge = await open_challenge(tx, "prove", user_id=caller.user_id, session_id=caller.session_id)
    return PasskeyOptionsOut(public_key=webauthn.request_options(site, challenge, known), expires_in=CHALLENGE_SECONDS)


@router.post("/reauthenticate", dependencies=TRIES)
async def passkey_reauthenticate(body: PasskeyUseIn, caller: Caller, resources: AllResources) -> ProvedOut:
    """Prove again that it is you, by a passkey; it counts as two factors."""
    challenge, signed = await _check(body, resources)
    async with resources.get(Database).transaction() as tx:
        fresh = await _used(tx, challenge, caller, "prove")
        answer: Problem | ProvedOut = BadPasskey()
        if fresh and signed is not None and signed.key.user_id == caller.user_id:
            refusal = await service.note_use(tx, signed.key, signed.use)
            answer = refusal or await _proved(tx, caller)
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
    """Give it another name."""
    return _shown(await service.rename_passkey(tx, caller.user_id, passkey_id, body.name))


@router.delete("/{passkey_id}", status_code=204, response_class=Response)
async def remove_passkey(passkey_id: Id, caller: RecentCaller, tx: WriteTx) -> None:
    """Take it away; never the last way into the account."""
    await service.remove_passkey(tx, caller.user_id, passkey_id)
    await keep_a_way_in(tx, caller.user_id)
    await otp.tell_user(tx, caller.user_id, "passkey_removed", time=otp.moment())


async def _check(body: PasskeyUseIn, resources: Resources) -> tuple[bytes, service.Signed | None]:
    """The challenge that the browser answered, and what its signature proved, before any transaction."""
    credential = body.credential.model_dump(by_alias=True)
    challenge = webauthn.challenge_in(credential)
    async with resources.get(Database).snapshot() as tx:
        key = await service.find_passkey(tx, body.credential.id)
    site = site_of(resources.get(Settings))
    use = webauthn.verify_use(site, credential, challenge, key.public_key) if key is not None else None
    return challenge, (service.Signed(key, use) if key is not None and use is not None else None)


async def _used(tx: Tx, challenge: bytes, caller: Principal, purpose: Purpose) -> bool:
    return await use_challenge(tx, challenge, purpose, user_id=caller.user_id, session_id=caller.session_id)


async def _proved(tx: Tx, caller: Principal) -> ProvedOut:
    at = await step_up.authenticated_again(tx, caller, "passkey")
    await step_up.two_factors_proved(tx, caller)
    return ProvedOut(authenticated_at=at, method="passkey")


def _shown(row: Passkey) -> PasskeyOut:
    return PasskeyOut(
        id=row.id,
        name=row.name,
        backed_up=row.backed_up,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        regressed_at=row.regressed_at,
    )
