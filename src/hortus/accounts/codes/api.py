"""Routes that send codes and take them: sign up and in with a mobile number or an address, verify an address."""

import json
from dataclasses import asdict
from typing import Annotated

from fastapi import Request
from fastapi.responses import JSONResponse

from hortus.accounts import codes, identifiers
from hortus.accounts.auth import caller_if_any
from hortus.accounts.codes import BadCode, BadLink, Codes, Target
from hortus.accounts.codes.asking import asked
from hortus.accounts.codes.schemas import SendIn, SentOut, SignupIn, VerifiedOut, VerifyEmailIn, VerifyIn
from hortus.accounts.consents import Said
from hortus.accounts.new_passwords import NewPasswords
from hortus.accounts.passwords import PasswordPool
from hortus.accounts.schemas import SecondFactorOut, TokensOut
from hortus.accounts.sign_in import SIGN_IN_AGAIN, sign_in
from hortus.core.db import Database, Tx
from hortus.core.errors import Problem, Unauthenticated
from hortus.core.web import (
    AllResources,
    OnceOnly,
    WriteTx,
    coarse_network_of,
    limited,
    make_router,
    network_of,
    no_resource,
    public,
    resource,
)

router = make_router("/api/auth", "auth")
Desk = Annotated[Codes, resource(Codes)]


@router.post(
    "/signup",
    status_code=201,
    dependencies=[limited("signup", "5/minute")],
    openapi_extra=public("signing up comes before signing in"),
    response_model=SentOut,
)
async def signup(body: SignupIn, request: Request, resources: AllResources, once: OnceOnly) -> JSONResponse:
    """Send a code to a mobile number; the account is made when the code comes back to `verify-otp`.

    What is said here belongs to that code, used from the same network. Known numbers get the same answer and a code
    to sign in.
    """
    desk = resources.get(Codes)
    target = codes.mobile(body.mobile_number, desk.rules.default_phone_region)
    password_hash = None
    if body.password is not None:
        await resources.get(NewPasswords).check(body.password, body.name, target.value)
        password_hash = await resources.get(PasswordPool).hash(body.password)
    consent = body.marketing_consent
    said = Said(
        body.name,
        password_hash,
        terms_accepted=True,
        marketing_consent=consent,
        network=coarse_network_of(request),
        referral=body.referral,
    )
    wish = asked(request, "sign_in", target, pending=json.dumps(asdict(said)))

    async def send() -> SentOut:
        await codes.ask(tx, desk, wish)
        return SentOut()

    async with resources.get(Database).transaction() as tx:
        return await once.answer(tx, network_of(request), body, send, again=no_resource, status=201)


@router.post(
    "/send-otp",
    dependencies=[limited("send_otp", "30/minute")],
    openapi_extra=public("a code is how somebody signs in"),
    response_model=SentOut,
)
async def send_otp(body: SendIn, request: Request, desk: Desk, tx: WriteTx, once: OnceOnly) -> JSONResponse:
    """Send a code by mail or text message. The answer is the same whether or not somebody has an account.

    One code a minute and five in ten minutes go to one target; the newest one counts.
    """
    wish = asked(request, body.means(), body.target(desk))

    async def send() -> SentOut:
        await codes.ask(tx, desk, wish)
        return SentOut()

    return await once.answer(tx, network_of(request), body, send, again=no_resource)


@router.post(
    "/verify-otp",
    dependencies=[limited("verify_otp", "60/minute")],
    openapi_extra=public("the code is the right"),
)
async def verify_otp(
    body: VerifyIn, request: Request, resources: AllResources, once: OnceOnly
) -> TokensOut | SecondFactorOut:
    """Sign in with a code; whoever is new gets an account. Five tries, one use, ten minutes."""
    caller = await caller_if_any(request)
    desk = resources.get(Codes)
    wish = asked(request, body.means(), body.target(desk))
    async with resources.get(Database).transaction() as tx:
        await once.first_only(tx, network_of(request), body, SIGN_IN_AGAIN)
        proof = await codes.try_code(tx, desk, wish, body.code)
        answer: TokensOut | SecondFactorOut | Problem = BadCode()
        if proof is not None:
            said = _said(body, proof, coarse_network_of(request))
            entered = await identifiers.enter(tx, proof, said, caller.user_id if caller else None)
            if isinstance(entered, Problem):
                answer = entered
            else:
                answer = await sign_in(tx, request, resources, entered, method="otp")
        if isinstance(answer, Problem):
            await once.give_up(tx, network_of(request), body)
    if isinstance(answer, Problem):
        raise answer
    return answer


def _said(body: VerifyIn, proof: codes.Proof, network: str) -> Said:
    if proof.pending is not None:
        return Said(**json.loads(proof.pending))
    return Said(name=body.name, terms_accepted=body.accept_terms, network=network)


@router.post(
    "/verify-email",
    dependencies=[limited("verify_email", "10/minute")],
    openapi_extra=public("the token or code is the right"),
)
async def verify_email(body: VerifyEmailIn, request: Request, resources: AllResources) -> VerifiedOut:
    """Confirm an address by the token of the link, or by the code that came with it. Signs nobody in."""
    caller = await caller_if_any(request)
    async with resources.get(Database).transaction() as tx:
        if body.token is not None:
            answer = await _follow(tx, body.token)
        else:
            answer = await _confirm(tx, request, resources.get(Codes), body, caller.user_id if caller else None)
    if isinstance(answer, Problem):
        raise answer
    return VerifiedOut(email=answer.value)


async def _follow(tx: Tx, token: str) -> Target | Problem:
    followed = await codes.follow_link(tx, "verify", token)
    if followed is None or not await identifiers.mark_verified(tx, followed.user_id, followed.target):
        return BadLink()
    return followed.target


async def _confirm(
    tx: Tx, request: Request, desk: Codes, body: VerifyEmailIn, caller_id: str | None
) -> Target | Problem:
    if body.email is not None:
        target = Target("email", body.email)
    elif caller_id is None:
        return Unauthenticated("Send `email` beside the code, or sign in.")
    else:
        found = await identifiers.first_unverified_email(tx, caller_id)
        if found is None:
            return BadCode()
        target = found
    proof = await codes.try_code(tx, desk, asked(request, "verify", target), body.code or "")
    if proof is None or proof.user_id is None or not await identifiers.mark_verified(tx, proof.user_id, target):
        return BadCode()
    return target
