"""Routes of sessions: refresh, sign out, reauthenticate, list, revoke."""

from dataclasses import astuple

from fastapi import Request, Response

from hortus.accounts import device_name, sessions, users
from hortus.auth import refresh_tokens, session_cookies, step_up, throttle
from hortus.auth.deps import Caller, limited_caller
from hortus.auth.errors import BadPassword
from hortus.auth.otp import message_time, notify_user
from hortus.auth.passwords import PasswordPool
from hortus.auth.schemas import ReauthenticatedOut, ReauthenticateIn, RefreshIn, SessionOut, TokensOut
from hortus.auth.sign_in import in_cookies, session_lifetime, tokens_of
from hortus.auth.throttle import Throttle
from hortus.core import rate_limits
from hortus.core.db import Database
from hortus.core.db.paging import Page
from hortus.core.errors import Invalid, Problem
from hortus.core.schemas import Id
from hortus.core.settings import Settings
from hortus.core.web.deps import (
    AllResources,
    IdempotencyHeader,
    PageParams,
    ReadTx,
    WriteTx,
    client_ip_of,
    hit_limit,
    network_of,
    rate_limit_failures,
)
from hortus.core.web.openapi import make_router, public

router = make_router("/api")
rate_limits.declare("refresh_session")
REFRESHED = "The tokens were refreshed, and shown once. If that answer was lost, sign in again."


@router.post(
    "/auth/refresh",
    tags=["auth"],
    dependencies=[rate_limit_failures("refresh", "60/minute")],
    openapi_extra=public("the refresh token is the right"),
)
async def refresh(
    request: Request, resources: AllResources, once: IdempotencyHeader, body: RefreshIn | None = None
) -> TokensOut:
    """Trade a refresh token for a fresh pair. A token that was used before revokes its session.

    A browser that signed in with `Hortus-Session: cookie` sends that header and no token.
    """
    given = body.refresh_token if body is not None else None
    token = given or session_cookies.refresh_token(request)
    if token is None:
        raise Invalid(errors=[{"field": "refresh_token", "detail": "Field required"}])
    async with resources[Database].transaction() as tx:
        await once.first_only(tx, network_of(request), token, REFRESHED)
        keys = resources[Settings].keys_for("refresh tokens")
        answer = await refresh_tokens.refresh(
            tx, token, keys=keys, lifetime=session_lifetime(resources), address=client_ip_of(request)
        )
        if not isinstance(answer, Problem):  # over the limit the transaction rolls back
            await hit_limit(request, "refresh_session", "30/minute", answer.session_id)
        tokens = answer if isinstance(answer, Problem) else await tokens_of(tx, resources, *astuple(answer))
        if given is None and not isinstance(tokens, Problem):
            tokens = in_cookies(tx, request, resources, tokens)
        if isinstance(tokens, Problem):
            await once.give_up(tx, network_of(request), token)
    if isinstance(tokens, Problem):
        if given is None:
            session_cookies.end(request)
        raise tokens
    return tokens


@router.post("/auth/logout", status_code=204, tags=["auth"])
async def logout(request: Request, caller: Caller, tx: WriteTx) -> None:
    """End this session."""
    await sessions.revoke_session(tx, caller.user_id, caller.session_id)
    tx.after_commit(lambda: session_cookies.clear_session_cookies(request))


@router.post("/auth/reauthenticate", tags=["auth"], dependencies=[limited_caller("reauthenticate", "10/minute")])
async def reauthenticate(body: ReauthenticateIn, caller: Caller, resources: AllResources) -> ReauthenticatedOut:
    """Reauthenticate with the password, as sensitive operations require."""
    database = resources[Database]
    async with database.snapshot() as tx:
        stored = await users.password_hash_of(tx, caller.user_id)
    buckets = resources[Throttle].for_reauthentication(caller.user_id)
    if buckets:
        async with database.transaction() as tx:
            await throttle.consume(tx, buckets)
    valid, fresh = await resources[PasswordPool].verify(body.password, stored)
    if not valid or stored is None:
        raise BadPassword
    async with database.transaction() as tx:
        if not await users.confirm_password_hash(tx, caller.user_id, stored, fresh):
            raise BadPassword
        await throttle.refund(tx, buckets)
        authenticated_at = await step_up.mark_reauthenticated(tx, caller, "password")
    return ReauthenticatedOut(authenticated_at=authenticated_at, method="password")


@router.get("/user/sessions", tags=["user"])
async def list_sessions(caller: Caller, tx: ReadTx, paging: PageParams) -> Page[SessionOut]:
    """Where you are signed in."""
    page = await sessions.live_sessions(tx, caller.user_id, paging)
    shown = [
        SessionOut(
            id=row.id,
            device=row.device,
            device_name=device_name(row.device),
            address=row.address,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            current=row.id == caller.session_id,
        )
        for row in page.items
    ]
    return Page(items=shown, next_cursor=page.next_cursor)


@router.delete("/user/sessions", status_code=204, tags=["user"])
async def revoke_other_sessions(caller: Caller, tx: WriteTx) -> None:
    """Sign out everywhere else. A message is sent if another session ended."""
    if await sessions.revoke_others(tx, caller.user_id, caller.session_id):
        await notify_user(tx, caller.user_id, "signed_out", time=message_time())


@router.delete("/user/sessions/{session_id}", status_code=204, tags=["user"], response_class=Response)
async def revoke_session(session_id: Id, request: Request, caller: Caller, tx: WriteTx) -> None:
    """Sign out one device."""
    await sessions.revoke_session(tx, caller.user_id, session_id)
    if session_id == caller.session_id:
        tx.after_commit(lambda: session_cookies.clear_session_cookies(request))
