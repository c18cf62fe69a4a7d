"""Routes of `/api/auth` and `/api/user`."""

from typing import Annotated

from fastapi import Request
from fastapi.responses import JSONResponse

from hortus.accounts import ProfileExtensions, SignUpDetails, change_consent, users
from hortus.auth import password_login
from hortus.auth.deps import Caller
from hortus.auth.otp import OtpHasher, Target, pending_sign_up
from hortus.auth.otp.requests import otp_request, request_otp_if_allowed
from hortus.auth.otp.schemas import CheckYourMailOut, LoginIn
from hortus.auth.password_policy import PasswordPolicy
from hortus.auth.passwords import PasswordPool
from hortus.auth.schemas import (
    ProfileIn,
    ProfileOut,
    RegisterIn,
    SecondFactorOut,
    SetupIn,
    TokensOut,
)
from hortus.auth.sign_in import SIGN_IN, SIGN_IN_AGAIN, sign_in
from hortus.core import rate_limits
from hortus.core.db import Database
from hortus.core.db.compiled_select import Executor
from hortus.core.errors import Problem
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.web.deps import (
    AllResources,
    IdempotencyHeader,
    IdempotencyKey,
    WriteTx,
    anonymised_network_of,
    hit_limit,
    network_of,
    no_resource,
    rate_limit,
    rate_limit_failures,
    resource,
)
from hortus.core.web.openapi import make_router, open_to_keys, public

router = make_router("/api")
rate_limits.declare("login_account")
Extensions = Annotated[ProfileExtensions, resource(ProfileExtensions)]


@router.post(
    "/auth/register",
    status_code=201,
    tags=["auth"],
    response_model=TokensOut | SecondFactorOut,
    responses={202: {"model": CheckYourMailOut, "description": "A code is on its way (`SIGN_UP=verify_first`)"}},
    dependencies=[rate_limit("register", "5/minute")],
    openapi_extra=public("signing up precedes signing in"),
)
async def register(
    body: RegisterIn, request: Request, resources: AllResources, once: IdempotencyHeader
) -> TokensOut | SecondFactorOut | JSONResponse:
    """Create an account and sign in; an e-mail asks the user to verify the address.

    A repeated request with its `Idempotency-Key` gets 409 `already_done` and no tokens: sign in then. With
    `SIGN_UP=verify_first` the answer is 202 `check_your_mail` for every address: the account is created when
    POST /api/auth/verify-email receives the code of the e-mail.
    """
    await resources[PasswordPolicy].check(body.password, body.email, body.name)
    password_hash = await resources[PasswordPool].hash(body.password)
    hasher, target = resources[OtpHasher], Target("email", body.email)
    if resources[Settings].sign_up == "verify_first":
        return await _register_later(body, password_hash, request, resources, once)
    async with resources[Database].transaction() as tx:
        await once.first_only(tx, network_of(request), body, SIGN_IN)
        user_id = await users.register(
            tx,
            email=body.email,
            password_hash=password_hash,
            name=body.name,
            marketing_consent=body.marketing_consent,
            network=anonymised_network_of(request),
            referral=body.referral,
        )
        await request_otp_if_allowed(tx, hasher, otp_request(request, "verify", target))
        return await sign_in(tx, request, resources, user_id)


async def _register_later(
    body: RegisterIn, password_hash: str, request: Request, resources: Resources, once: IdempotencyKey
) -> JSONResponse:
    """Send a code without looking up the address: answer and timing are the same for all addresses."""
    details = SignUpDetails(
        body.name,
        password_hash,
        terms_accepted=True,
        marketing_consent=body.marketing_consent,
        network=anonymised_network_of(request),
        referral=body.referral,
    )
    mark = resources[OtpHasher].sign_up_mark(body.model_dump_json())
    requested = otp_request(
        request, "sign_up", Target("email", body.email), pending=pending_sign_up.pack(details, mark)
    )

    async def send() -> CheckYourMailOut:
        await request_otp_if_allowed(tx, resources[OtpHasher], requested)
        return CheckYourMailOut()

    async with resources[Database].transaction() as tx:
        return await once.answer(tx, network_of(request), body, send, again=no_resource, status=202)


@router.post(
    "/auth/login",
    tags=["auth"],
    dependencies=[rate_limit_failures("login", "10/minute")],
    openapi_extra=public("this is signing in"),
)
async def login(
    body: LoginIn, request: Request, resources: AllResources, once: IdempotencyHeader
) -> TokensOut | SecondFactorOut:
    """Sign in with e-mail address or mobile number, and password."""
    target = body.target(resources[OtpHasher])
    # Right passwords cost the same work as wrong ones: one account from one network has its own share of it.
    await hit_limit(request, "login_account", "30/minute", f"{network_of(request)} {target.kind}:{target.value}")
    verified = await password_login.verify_password(request, resources, target.kind, target.value, body.password)
    answer: TokensOut | SecondFactorOut | Problem
    async with resources[Database].transaction() as tx:
        status = await password_login.complete(tx, verified)
        try:
            await once.first_only(tx, network_of(request), body, SIGN_IN_AGAIN)
        except Problem as repeated:  # the password was right, and that it is not counted as a failure must commit
            answer = repeated
        else:
            answer = await sign_in(tx, request, resources, verified.user_id, status=status)
    if isinstance(answer, Problem):
        raise answer
    return answer


@router.post(
    "/auth/setup",
    status_code=201,
    tags=["auth"],
    dependencies=[rate_limit_failures("setup", "5/minute")],
    openapi_extra=public("the one-time setup token is the right"),
)
async def setup(
    body: SetupIn, request: Request, resources: AllResources, once: IdempotencyHeader
) -> TokensOut | SecondFactorOut:
    """Create the first administrator, once, with the setup token that the first start printed."""
    await resources[PasswordPolicy].check(body.password, body.email, body.name)
    password_hash = await resources[PasswordPool].hash(body.password)
    async with resources[Database].transaction() as tx:
        await once.first_only(tx, network_of(request), body, SIGN_IN)
        await users.consume_setup_token(tx, body.token)
        user_id = await users.register(
            tx,
            email=body.email,
            password_hash=password_hash,
            name=body.name,
            network=anonymised_network_of(request),
            role="admin",
        )
        return await sign_in(tx, request, resources, user_id)


@router.get("/user/me", tags=["user"], response_model=ProfileOut, openapi_extra=open_to_keys("profile:read"))
async def me(caller: Caller, resources: AllResources) -> JSONResponse:
    """The signed-in user, with plan, limits and credits."""
    return await _show(resources[Database], caller.user_id, resources[ProfileExtensions])


@router.get("/user/profile", tags=["user"], response_model=ProfileOut, openapi_extra=open_to_keys("profile:read"))
async def read_profile(caller: Caller, resources: AllResources) -> JSONResponse:
    """The profile, with plan, limits and credits."""
    return await _show(resources[Database], caller.user_id, resources[ProfileExtensions])


async def _show(executor: Executor, user_id: str, extensions: ProfileExtensions) -> JSONResponse:
    profile = await users.profile_of(executor, user_id)
    usage = await extensions.usage_of(executor, user_id)
    return JSONResponse({**profile._asdict(), "plan": usage["plan"], "usage": usage})


@router.put("/user/profile", tags=["user"], response_model=ProfileOut)
async def change_profile(
    body: ProfileIn, request: Request, caller: Caller, tx: WriteTx, extensions: Extensions
) -> JSONResponse:
    """Change the name or the consent to marketing; absent fields stay."""
    changes = body.model_dump(exclude_unset=True)
    consent = changes.pop("marketing_consent", None)
    if consent is not None:
        await change_consent(tx, caller.user_id, "marketing", given=consent, network=anonymised_network_of(request))
    if changes:
        await users.update_profile(tx, caller.user_id, changes)
    return await _show(tx, caller.user_id, extensions)
