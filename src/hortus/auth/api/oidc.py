"""Routes of `/api/auth/oidc` and `/api/user/external-accounts`."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from hortus.accounts import digest_of
from hortus.auth.deps import Caller, RecentCaller, limited_caller
from hortus.auth.oidc import browser, flows, roles, service
from hortus.auth.oidc.errors import (
    OidcDenied,
    OidcProviderNotFound,
    OidcRefused,
    OidcStateInvalid,
    OidcUnavailable,
)
from hortus.auth.oidc.provider import OidcProvider, OidcProviders
from hortus.auth.oidc.schemas import (
    Challenge,
    ExchangeIn,
    ExternalAccountOut,
    LinkIn,
    LinkStartOut,
    OidcProviderOut,
    ReturnTo,
)
from hortus.auth.schemas import SecondFactorOut, TokensOut
from hortus.auth.sign_in import SIGN_IN_AGAIN, sign_in
from hortus.auth.tables import ExternalAccount
from hortus.core.db import Database
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
    anonymised_network_of,
    count_failure,
    network_of,
    rate_limit,
    rate_limit_failures,
    resource,
)
from hortus.core.web.openapi import make_router, public

router = make_router("/api")
ProviderName = Annotated[str, Path(max_length=40)]
ProvidersDep = Annotated[OidcProviders, resource(OidcProviders)]
CoreSettings = Annotated[Settings, resource(Settings)]
TRIES = 3
CALLBACKS = "30/minute"


def _provider(known: OidcProviders, name: str) -> OidcProvider:
    found = known.get(name)
    if found is None:
        raise OidcProviderNotFound
    return found


def _callback(settings: Settings, provider: OidcProvider) -> str:
    """Where the issuer sends people back to: of the configured origin, never of a request's own."""
    return f"{settings.origin}/api/auth/oidc/{provider.name}/callback"


async def _begin(resources: Resources, provider: OidcProvider, login_request: flows.LoginRequest) -> tuple[str, str]:
    """(the issuer's page to go to, the secret for the browser)."""
    where = await provider.metadata()
    async with resources[Database].transaction() as tx:
        started = await flows.begin(tx, login_request)
    query = {
        "response_type": "code",
        "client_id": provider.settings.client_id,
        "redirect_uri": _callback(resources[Settings], provider),
        "scope": provider.settings.scopes,
        "state": started.state,
        "nonce": started.nonce,
        "code_challenge": started.code_challenge,
        "code_challenge_method": "S256",
    }
    return f"{where.authorize}{'&' if '?' in where.authorize else '?'}{urlencode(query)}", started.secret


@router.get("/auth/oidc", tags=["auth"], openapi_extra=public("lists the ways to sign in"))
async def list_oidc_providers(known: ProvidersDep, settings: CoreSettings) -> Page[OidcProviderOut]:
    """The issuers that one can sign in with here."""
    shown = [
        OidcProviderOut(
            id=provider.name,
            title=provider.settings.title,
            start_url=f"{settings.origin}/api/auth/oidc/{provider.name}",
        )
        for provider in known.all()
    ]
    return Page(items=shown, next_cursor=None)


@router.get(
    "/auth/oidc/{provider}",
    status_code=303,
    response_class=RedirectResponse,
    tags=["auth"],
    dependencies=[rate_limit("oidc", "300/minute")],
    openapi_extra=public("this is signing in"),
)
async def start_oidc(
    provider: ProviderName,
    resources: AllResources,
    return_to: Annotated[ReturnTo, Query()] = "/",
    challenge: Annotated[Challenge | None, Query()] = None,
    accept_terms: bool = False,
) -> RedirectResponse:
    """Sign in or sign up with an OpenID Connect provider: redirects the browser to it.

    The browser returns to `return_to` at the front end with `#oidc_code=…` for `POST /api/auth/oidc/exchange`, or with
    `#oidc_error=…`. A front end on another site than the API sends a `challenge` (S256) and exchanges the code with its
    verifier; on the same site, a cookie ties the sign-in to the browser.
    """
    found = _provider(resources[OidcProviders], provider)
    login_request = flows.LoginRequest(found.name, return_to, challenge, accept_terms)
    url, secret = await _begin(resources, found, login_request)
    response = RedirectResponse(url, status_code=303)
    browser.set_flow_cookie(response, resources[Settings], secret)
    return response


@router.get(
    "/auth/oidc/{provider}/callback",
    status_code=303,
    response_class=RedirectResponse,
    tags=["auth"],
    dependencies=[rate_limit_failures("oidc_callback", CALLBACKS)],
    openapi_extra=public("the issuer sends the browser here; state and cookie are the right"),
)
async def oidc_callback(
    provider: ProviderName,
    request: Request,
    resources: AllResources,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
    iss: Annotated[str | None, Query(max_length=300)] = None,
) -> RedirectResponse:
    """The redirect URI of the provider; redirects on to the front end."""
    found, settings = _provider(resources[OidcProviders], provider), resources[Settings]
    secrets = browser.secrets_of(request, settings)
    if not secrets:
        raise OidcStateInvalid
    async with resources[Database].transaction() as tx:
        flow = await flows.claim(tx, found.name, state, secrets)
    kept_for_exchange = False
    try:
        if error or not code:
            raise OidcDenied
        exchange_code = await _finish(resources, found, flow, code, iss, anonymised_network_of(request))
        name = "oidc_code" if flow.link_user_id is None else "oidc_link_code"
        response = browser.redirect_to_front_end(settings, flow.return_to, **{name: exchange_code})
        kept_for_exchange = True
    except Problem as problem:
        await count_failure(request, "oidc_callback", CALLBACKS, network_of(request))
        response = browser.redirect_to_front_end(settings, flow.return_to, oidc_error=problem.code)
    if not kept_for_exchange:
        browser.delete_flow_cookie(response, settings, digest_of(flow.secret))
    return response


async def _finish(
    resources: Resources, provider: OidcProvider, flow: flows.ClaimedLogin, code: str, iss: str | None, network: str
) -> str:
    """Redeem the code at the provider outside of any transaction, then store the result; returns the exchange code."""
    where = await provider.metadata()
    if iss != where.issuer and (iss is not None or where.says_issuer):
        raise OidcRefused  # the response comes from another issuer than the one of this flow (RFC 9207)
    response = await provider.redeem(
        code,
        verifier=flows.verifier_of(flow.secret),
        nonce=flows.nonce_of(flow.secret),
        redirect_uri=_callback(resources[Settings], provider),
    )
    rules = provider.settings
    identity = service.identity_of(response, rules)
    for _ in range(TRIES):
        try:
            async with resources[Database].transaction() as tx:
                if flow.link_user_id is not None:
                    linked = flows.ProviderAccount(identity.issuer, identity.subject, identity.email)
                    return await flows.complete(tx, flow, linked)
                user_id = await service.user_of(tx, identity, rules, accepts_terms=flow.accepts_terms, network=network)
                return await flows.complete(tx, flow, user_id)
        except roles.ConcurrentChange:
            continue
    raise OidcUnavailable


@router.post(
    "/auth/oidc/exchange",
    tags=["auth"],
    dependencies=[rate_limit_failures("oidc_exchange", "30/minute")],
    openapi_extra=public("the one-time code is the right"),
)
async def exchange_oidc_code(
    body: ExchangeIn,
    request: Request,
    response: Response,
    resources: AllResources,
    tx: WriteTx,
    once: IdempotencyHeader,
) -> TokensOut | SecondFactorOut:
    """Trade the code from the fragment for tokens, once, within two minutes."""
    settings = resources[Settings]
    await once.first_only(tx, network_of(request), body, SIGN_IN_AGAIN)
    user_id, digest = await flows.exchange(
        tx, body.code, secrets=browser.secrets_of(request, settings), verifier=body.verifier
    )
    browser.delete_flow_cookie(response, settings, digest)
    await service.refuse_inactive(tx, user_id)
    return await sign_in(tx, request, resources, user_id, method="oidc")


@router.get("/user/external-accounts", tags=["user"])
async def list_external_accounts(
    caller: Caller, tx: ReadTx, paging: PageParams, known: ProvidersDep
) -> Page[ExternalAccountOut]:
    """The connected external accounts; `provider` is empty if it is no longer configured."""
    page = await service.accounts_of(tx, caller.user_id, paging)
    return Page(items=[_shown(row, known) for row in page.items], next_cursor=page.next_cursor)


@router.post(
    "/user/external-accounts/{provider}/link", tags=["user"], dependencies=[limited_caller("oidc_link", "10/minute")]
)
async def start_external_link(
    provider: ProviderName, body: LinkIn, caller: RecentCaller, response: Response, resources: AllResources
) -> LinkStartOut:
    """Start to connect an external account: send the browser to `authorize_url`.

    It returns with `#oidc_link_code=…` for `POST /api/user/external-accounts`.
    """
    found = _provider(resources[OidcProviders], provider)
    login_request = flows.LoginRequest(
        found.name,
        body.return_to,
        body.challenge,
        link_user_id=caller.user_id,
        link_session_id=caller.session_id,
    )
    url, secret = await _begin(resources, found, login_request)
    browser.set_flow_cookie(response, resources[Settings], secret)
    return LinkStartOut(authorize_url=url)


@router.post("/user/external-accounts", status_code=201, tags=["user"])
async def link_external_account(
    body: ExchangeIn, request: Request, caller: Caller, resources: AllResources, tx: WriteTx, known: ProvidersDep
) -> ExternalAccountOut:
    """Connect the external account that this session has verified; a code works once."""
    linked = await flows.exchange_link(
        tx,
        body.code,
        secrets=browser.secrets_of(request, resources[Settings]),
        verifier=body.verifier,
        user_id=caller.user_id,
        session_id=caller.session_id,
    )
    return _shown(await service.link(tx, caller.user_id, linked), known)


def _shown(account: ExternalAccount, known: OidcProviders) -> ExternalAccountOut:
    names = {provider.settings.issuer.rstrip("/"): provider.name for provider in known.all()}
    return ExternalAccountOut(
        id=account.id,
        provider=names.get(account.issuer.rstrip("/")),
        issuer=account.issuer,
        email=account.email,
        created_at=account.created_at,
        last_used_at=account.last_used_at,
    )


@router.delete("/user/external-accounts/{account_id}", status_code=204, tags=["user"], response_class=Response)
async def unlink_external_account(account_id: Id, caller: RecentCaller, tx: WriteTx) -> None:
    """Disconnect an external account. The last credential cannot be removed."""
    await service.unlink(tx, caller.user_id, account_id)
