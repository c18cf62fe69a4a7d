"""Routes of one-time codes: sign up and sign in with a mobile number or address, and verify an address."""

from typing import Annotated

from fastapi import Request
from fastapi.responses import JSONResponse

from hortus.accounts import SignUpDetails, identifiers, users
from hortus.auth import identifier_verification, otp
from hortus.auth.deps import caller_if_any
from hortus.auth.otp import BadCode, BadLink, OtpHasher, Target, pending_sign_up
from hortus.auth.otp.requests import otp_request
from hortus.auth.otp.schemas import (
    OtpSentOut,
    PasswordRequiredOut,
    SendIn,
    SignupIn,
    VerifiedOut,
    VerifyEmailIn,
    VerifyIn,
)
from hortus.auth.password_policy import PasswordPolicy
from hortus.auth.passwords import PasswordPool
from hortus.auth.schemas import SecondFactorOut, TokensOut
from hortus.auth.sign_in import SIGN_IN_AGAIN, sign_in
from hortus.core.db import Database, Tx
from hortus.core.errors import Problem, Unauthenticated
from hortus.core.resources import Resources
from hortus.core.web.deps import (
    AllResources,
    IdempotencyHeader,
    WriteTx,
    anonymised_network_of,
    network_of,
    no_resource,
    rate_limit,
    rate_limit_failures,
    resource,
)
from hortus.core.web.openapi import make_router, public

router = make_router("/api/auth", "auth")
VERIFIED = "The address was verified, and the answer was shown once. Sign in, or request a password reset."
Hasher = Annotated[OtpHasher, resource(OtpHasher)]


@router.post(
    "/signup",
    status_code=201,
    dependencies=[rate_limit("signup", "5/minute")],
    openapi_extra=public("signing up precedes signing in"),
    response_model=OtpSentOut,
)
async def signup(body: SignupIn, request: Request, resources: AllResources, once: IdempotencyHeader) -> JSONResponse:
    """Send a code to a mobile number; the account is created when `verify-otp` receives the code.

    The data of this request applies only to that code, used from the same network. A registered number gets the same
    answer and a code to sign in.
    """
    hasher = resources[OtpHasher]
    target = otp.mobile(body.mobile_number, hasher.rules.default_phone_region)
    password_hash = None
    if body.password is not None:
        await resources[PasswordPolicy].check(body.password, body.name, target.value)
        password_hash = await resources[PasswordPool].hash(body.password)
    consent = body.marketing_consent
    details = SignUpDetails(
        body.name,
        password_hash,
        terms_accepted=True,
        marketing_consent=consent,
        network=anonymised_network_of(request),
        referral=body.referral,
    )
    requested = otp_request(
        request, "sign_in", target, pending=pending_sign_up.pack(details, hasher.sign_up_mark(body.model_dump_json()))
    )

    async def send() -> OtpSentOut:
        await otp.request_otp(tx, hasher, requested)
        return OtpSentOut()

    async with resources[Database].transaction() as tx:
        return await once.answer(tx, network_of(request), body, send, again=no_resource, status=201)


@router.post(
    "/send-otp",
    dependencies=[rate_limit("send_otp", "30/minute")],
    openapi_extra=public("a code is a way to sign in"),
    response_model=OtpSentOut,
)
async def send_otp(
    body: SendIn, request: Request, hasher: Hasher, tx: WriteTx, once: IdempotencyHeader
) -> JSONResponse:
    """Send a code by e-mail or text message. The answer does not reveal whether an account exists.

    A target receives one code a minute and five in ten minutes; only the newest code is valid.
    """
    requested = otp_request(request, body.means(), body.target(hasher))

    async def send() -> OtpSentOut:
        await otp.request_otp(tx, hasher, requested)
        return OtpSentOut()

    return await once.answer(tx, network_of(request), body, send, again=no_resource)


@router.post(
    "/verify-otp",
    dependencies=[rate_limit_failures("verify_otp", "60/minute")],
    openapi_extra=public("the code is the right"),
)
async def verify_otp(
    body: VerifyIn, request: Request, resources: AllResources, once: IdempotencyHeader
) -> TokensOut | SecondFactorOut:
    """Sign in with a code; an unknown target gets an account. Five attempts, one use, ten minutes."""
    caller = await caller_if_any(request)
    hasher = resources[OtpHasher]
    requested = otp_request(request, "sign_in", body.target(hasher))
    async with resources[Database].transaction() as tx:
        await once.first_only(tx, network_of(request), body, SIGN_IN_AGAIN)
        verified = await otp.check_otp(tx, hasher, requested, body.code)
        answer: TokensOut | SecondFactorOut | Problem = BadCode()
        if verified is not None:
            details = _details_of(body, verified, anonymised_network_of(request))
            entered = await identifier_verification.find_or_create_user(
                tx, verified, details, caller.user_id if caller else None
            )
            if isinstance(entered, Problem):
                answer = entered
            else:
                answer = await sign_in(tx, request, resources, entered, method="otp")
        if isinstance(answer, Problem):
            await once.give_up(tx, network_of(request), body)
    if isinstance(answer, Problem):
        raise answer
    return answer


def _details_of(body: VerifyIn, verified: otp.VerifiedOtp, network: str) -> SignUpDetails:
    details = pending_sign_up.unpack(verified.pending)
    return details or SignUpDetails(name=body.name, terms_accepted=body.accept_terms, network=network)


@router.post(
    "/verify-email",
    dependencies=[rate_limit_failures("verify_email", "10/minute")],
    openapi_extra=public("the token or code is the right"),
)
async def verify_email(
    body: VerifyEmailIn, request: Request, resources: AllResources, once: IdempotencyHeader
) -> TokensOut | SecondFactorOut | PasswordRequiredOut | VerifiedOut:
    """Verify an address by the token of the link, or by the code that came with it.

    The code of a sign-up (`SIGN_UP=verify_first`) creates the account and signs in. Otherwise the request does not sign
    in, and the first verification by a caller who is not signed in requires a new password.
    """
    caller = await caller_if_any(request)
    caller_id = caller.user_id if caller else None
    answer: TokensOut | SecondFactorOut | Target | Problem
    token = None
    async with resources[Database].transaction() as tx:
        await once.first_only(tx, network_of(request), body, VERIFIED)
        if body.token is not None:
            consumed = await otp.consume_link(tx, "verify", body.token)
            if consumed is None:
                raise BadLink
            answer = consumed.target
            token = await identifier_verification.verify(tx, consumed.user_id, answer, caller_id, BadLink())
        else:
            target = await _target(tx, body, caller_id)
            purpose = await otp.purpose_to_verify(tx, target)
            verified = await otp.check_otp(
                tx, resources[OtpHasher], otp_request(request, purpose, target), body.code or ""
            )
            if verified is None:
                answer = BadCode()
            elif purpose == "sign_up":
                answer = await _complete_sign_up(tx, request, resources, verified, caller_id)
            else:
                answer = target
                token = await identifier_verification.verify(tx, verified.user_id or "", target, caller_id, BadCode())
        if isinstance(answer, Problem):
            await once.give_up(tx, network_of(request), body)
    if isinstance(answer, Problem):
        raise answer
    if not isinstance(answer, Target):
        return answer
    if token is not None:
        return PasswordRequiredOut(email=answer.value, password_reset_token=token)
    return VerifiedOut(email=answer.value)


async def _target(tx: Tx, body: VerifyEmailIn, caller_id: str | None) -> Target:
    """The address to verify; raises Unauthenticated and BadCode if the body does not name it."""
    if body.email is not None:
        return Target("email", body.email)
    if caller_id is None:
        raise Unauthenticated("Send `email` beside the code, or sign in.")
    found = await identifiers.first_unverified_email(tx, caller_id)
    if found is None:
        raise BadCode
    return found


async def _complete_sign_up(
    tx: Tx, request: Request, resources: Resources, verified: otp.VerifiedOtp, caller_id: str | None
) -> TokensOut | SecondFactorOut | Problem:
    """Create the account of a sign-up. Its password is used only if the same network sent it."""
    details = pending_sign_up.unpack(verified.pending) or SignUpDetails(network=anonymised_network_of(request))
    entered = await identifier_verification.find_or_create_user(tx, verified, details, caller_id)
    if isinstance(entered, Problem):
        return entered
    tokens = await sign_in(tx, request, resources, entered, method="otp")
    if isinstance(tokens, TokensOut) and await users.password_hash_of(tx, entered) is None:
        return tokens.model_copy(update={"password_required": True})
    return tokens
