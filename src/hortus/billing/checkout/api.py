"""Routes of `/api/payment` for checkouts: buy credits, read, cancel, and the callback of a gateway's form.

A callback is trusted as little as a webhook: its signature only names a checkout, whose state is then fetched from
the gateway. Amount, currency and owner never come from the browser.
"""

from typing import Annotated

import structlog
from fastapi import Body, Request
from fastapi.responses import JSONResponse
from pydantic import StringConstraints
from sqlalchemy import select

from hortus.auth import Caller, limited_caller
from hortus.billing import coupons
from hortus.billing.checkout import orders
from hortus.billing.checkout import service as checkouts
from hortus.billing.checkout.schemas import BuyCredits, CheckoutOut
from hortus.billing.checkout.service import Return
from hortus.billing.errors import BadSignature, CheckoutNotFound, GatewayUnknown, problem_of
from hortus.billing.price_list.quotes import choose_gateway, quote_amount, quote_pack
from hortus.billing.price_list.schemas import GatewayId
from hortus.billing.sync import sync_from_gateway
from hortus.billing.tables import Checkout
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources
from hortus.core.schemas import Id
from hortus.core.settings import Settings
from hortus.core.web.deps import (
    AllResources,
    IdempotencyHeader,
    ReadTx,
)
from hortus.core.web.openapi import make_router
from hortus.payments import Callback, Gateway, GatewayError, GatewayNotConfigured, Gateways, InvalidSignature, ObjectRef

VERIFIES = limited_caller("payment_verify", "60/hour")
Name = Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z0-9_]{1,60}$")]
Value = Annotated[str, StringConstraints(max_length=400, pattern=r"^[^\x00]*$")]
Fields = Annotated[dict[Name, Value], Body(max_length=20)]

log = structlog.get_logger()
router = make_router("/api", "payment")
TOPUP = limited_caller("topup", "10/hour")
CHANGES = limited_caller("subscription", "20/hour")


@router.post("/payment/topup", status_code=201, dependencies=[TOPUP], response_model=CheckoutOut)
async def top_up(
    body: BuyCredits, caller: Caller, request: Request, resources: AllResources, once: IdempotencyHeader
) -> JSONResponse:
    """Buy a pack or a free amount of credits. With a coupon for all of it, the checkout is `paid` at once."""
    gateway = choose_gateway(resources[Gateways], body.gateway, body.currency, subscription=False)

    async def order(tx: Tx) -> Checkout:
        if body.pack is not None:
            wanted = await quote_pack(tx, gateway, body.pack, body.currency)
        else:
            wanted = quote_amount(tx, body.amount_minor or 0, str(body.currency))
        coupon = await coupons.find_usable(tx, resources[Settings], body.coupon)
        return await orders.order_credits(tx, gateway, caller.user_id, wanted, coupon)

    async with coupons.count_attempt(request, caller.user_id, body.coupon):
        back = Return(body.success_path, body.cancel_path)
        checkout, replayed = await checkouts.begin_once(resources, once.claim(caller.user_id, body), order, back)
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    return JSONResponse(CheckoutOut.of(checkout).model_dump(mode="json"), 201, headers=headers)


@router.get("/payment/checkout/{checkout_id}")
async def read_checkout(checkout_id: Id, caller: Caller, tx: ReadTx) -> CheckoutOut:
    """The state of a checkout. Once it is `paid`, credits and limits are available."""
    return CheckoutOut.of(await checkouts.find(tx, caller.user_id, checkout_id))


@router.post("/payment/checkout/{checkout_id}/cancel", dependencies=[CHANGES])
async def cancel_checkout(checkout_id: Id, caller: Caller, resources: AllResources) -> CheckoutOut:
    """Cancel an unpaid checkout; its coupon can be used again. Idempotent."""
    return CheckoutOut.of(await checkouts.cancel(resources, caller.user_id, checkout_id))


@router.post("/payment/{gateway_id}/verify", dependencies=[VERIFIES])
async def verify(gateway_id: GatewayId, fields: Fields, caller: Caller, resources: AllResources) -> CheckoutOut:
    """Post the fields that the gateway's form returned to your page; the response is the current checkout.

    Optional and idempotent: the gateway's webhooks have the same effect.
    """
    gateway, ref = _signed(resources, gateway_id, fields)
    database = resources[Database]
    async with database.snapshot() as tx:
        waiting = await _mine(tx, gateway, ref, caller.user_id)
    if waiting.status != "paid":
        await _look(resources, gateway, ref, caller.user_id)
    async with database.snapshot() as tx:
        return CheckoutOut.of(await _mine(tx, gateway, ref, caller.user_id))


def _signed(resources: Resources, gateway_id: str, fields: dict[str, str]) -> tuple[Gateway, ObjectRef]:
    gateway = resources[Gateways].get(gateway_id)
    if gateway is None or not isinstance(gateway, Callback):
        raise GatewayUnknown
    try:
        return gateway, gateway.verify(fields)
    except GatewayNotConfigured:
        raise GatewayUnknown from None
    except InvalidSignature as invalid:
        log.warning("callback_refused", gateway=gateway_id, reason=str(invalid))
        raise BadSignature from None


async def _mine(tx: Tx, gateway: Gateway, ref: ObjectRef, user_id: str) -> Checkout:
    query = select(Checkout).where(
        Checkout.gateway == gateway.id, Checkout.external_id == ref.external_id, Checkout.user_id == user_id
    )
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise CheckoutNotFound
    return found


async def _look(resources: Resources, gateway: Gateway, ref: ObjectRef, user_id: str) -> None:
    async def waits(tx: Tx) -> bool:
        # A webhook or another tab may have applied it meanwhile.
        return (await _mine(tx, gateway, ref, user_id)).status != "paid"

    try:
        await sync_from_gateway(resources, gateway, ref, waits)
    except GatewayError as error:
        log.warning("callback_failed", gateway=gateway.id, reason=f"{type(error).__name__}: {error}")
        raise problem_of(error) from error
