"""Checkouts: open them at the gateway, cancel and expire them.

The price is stored with the order before the gateway is called; the payment is compared with it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import and_, or_, select, update

from hortus import quotas
from hortus.billing.checkout.close_checkout import close
from hortus.billing.checkout.schemas import CheckoutId
from hortus.billing.customers import buyer_of, keep_customer
from hortus.billing.errors import (
    CheckoutNotFound,
    CheckoutPaidAlready,
    PaymentsNotConfigured,
    problem_of,
)
from hortus.billing.links import shop_url
from hortus.billing.price_list import prices
from hortus.billing.sync import sync_from_gateway
from hortus.billing.tables import Checkout
from hortus.core import clock, idempotency
from hortus.core.db import Database, Tx
from hortus.core.idempotency import Claim
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.payments import Buyer, GatewayError, GatewayRefused, Gateways, ObjectRef, Order

log = structlog.get_logger()
MakeOrder = Callable[[Tx], Awaitable[Checkout]]
PAGE = 200
EXPIRE_AFTER = timedelta(days=3)
"""Age at which an unpaid checkout expires. A later payment is still booked."""


@dataclass(frozen=True, slots=True)
class Return:
    """Where the gateway redirects the buyer: paths on the shop's own origin."""

    success: str = "/"
    cancel: str = "/"


async def begin_once(
    resources: Resources, claim: Claim | None, order: MakeOrder, back: Return
) -> tuple[Checkout, bool]:
    """Insert the order once per idempotency key, then open it; return the checkout and whether it is a repetition.

    A repetition after a crash continues where the first request stopped. Raises the errors of `order` and `begin`.
    """
    async with resources[Database].transaction() as tx:
        kept = await idempotency.claim(tx, claim) if claim is not None else None
        if kept is None:
            checkout_id = (await order(tx)).id
            if claim is not None:
                answer = CheckoutId(checkout_id=checkout_id)
                await idempotency.store(tx, claim, 201, answer.model_dump(mode="json"))
        else:
            checkout_id = kept.body["checkout_id"]
    return await begin(resources, checkout_id, back), kept is not None


async def begin(resources: Resources, checkout_id: str, back: Return) -> Checkout:
    """Open a checkout at its gateway; a no-op if it is open. Never called inside a transaction.

    Raises PaymentDeclined, AmountNotChargeable, PaymentRefused, GatewayFailed, and PaymentsNotConfigured if the
    gateway is missing or rejects its key.
    """
    database = resources[Database]
    async with database.snapshot() as tx:
        checkout = await _load(tx, checkout_id)
        plan = None
        gateway = resources[Gateways].get(checkout.gateway)
        if gateway is None:
            raise PaymentsNotConfigured
        if checkout.status != "new":
            return checkout
        buyer = await buyer_of(tx, gateway, checkout.user_id)
        if checkout.plan_id is not None:
            plan = await quotas.plan_version(tx, checkout.plan_id)
    price = None
    try:
        if plan is not None:
            price = await prices.gateway_price(database, gateway, plan, str(checkout.interval), checkout.currency)
        order = order_of(checkout, buyer, price, back, resources[Settings])
        started = await gateway.start(order)
    except GatewayError as error:
        log.warning("checkout_failed", gateway=gateway.id, reason=f"{type(error).__name__}: {error}")
        if isinstance(error, GatewayRefused):  # it will never be opened
            async with database.transaction() as tx:
                await close(tx, checkout_id, "expired")
        raise problem_of(error) from error
    async with database.transaction() as tx:
        await tx.execute(
            update(Checkout)
            .where(Checkout.id == checkout_id, Checkout.status == "new")
            .values(status="open", external_id=started.external_id, url=started.url, order=started.order)
        )
        if started.customer is not None:
            await keep_customer(tx, checkout.user_id, gateway.id, started.customer)
        return await _load(tx, checkout_id)


def order_of(checkout: Checkout, buyer: Buyer, price: str | None, back: Return, settings: Settings) -> Order:
    """The order that is sent to the gateway."""
    return Order(
        checkout.id,
        buyer,
        checkout.title,
        checkout.amount_minor,
        checkout.currency,
        success_url=shop_url(settings, _with(back.success, checkout.id)),
        cancel_url=shop_url(settings, _with(back.cancel, checkout.id)),
        price=price,
        discount_minor=checkout.discount_minor,
        trial_days=checkout.trial_days,
    )


def _with(path: str, checkout_id: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}checkout={checkout_id}"


async def find(tx: Tx, user_id: str, checkout_id: str) -> Checkout:
    """A checkout of this user. Raises CheckoutNotFound."""
    query = select(Checkout).where(Checkout.id == checkout_id, Checkout.user_id == user_id)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise CheckoutNotFound
    return found


async def cancel(resources: Resources, user_id: str, checkout_id: str) -> Checkout:
    """Cancel an unpaid checkout and release its coupon.

    Raises CheckoutNotFound, CheckoutPaidAlready, GatewayFailed.
    """
    database = resources[Database]
    async with database.snapshot() as tx:
        checkout = await find(tx, user_id, checkout_id)
    gateway = resources[Gateways].get(checkout.gateway)
    if checkout.status in ("new", "open") and checkout.external_id is not None and gateway is not None:
        try:
            await gateway.close(checkout.external_id)
        except GatewayError as error:
            raise problem_of(error, CheckoutPaidAlready()) from error
    async with database.transaction() as tx:
        await close(tx, checkout_id, "expired")
        closed = await _load(tx, checkout_id)
    if closed.status == "paid":
        raise CheckoutPaidAlready
    return closed


async def _load(tx: Tx, checkout_id: str) -> Checkout:
    query = select(Checkout).where(Checkout.id == checkout_id).execution_options(populate_existing=True)
    return (await tx.execute(query)).scalar_one()


async def expire_checkouts(resources: Resources) -> int:
    """Expire unpaid checkouts, here and at their gateways; return their number.

    An error of one checkout does not affect the others. A checkout that was paid at the gateway is booked.
    """
    closed, last, after = 0, clock.EPOCH, ""
    old = (Checkout.status.in_(("new", "open")), Checkout.created_at < clock.now() - EXPIRE_AFTER)
    database = resources[Database]
    while True:
        later = or_(Checkout.created_at > last, and_(Checkout.created_at == last, Checkout.id > after))
        query = select(Checkout).where(*old, later).order_by(Checkout.created_at, Checkout.id).limit(PAGE)
        async with database.snapshot() as tx:
            waiting = (await tx.execute(query)).scalars().all()
        for checkout in waiting:
            try:
                closed += await _expire(resources, checkout)
            except GatewayError as error:
                log.warning("checkout_close_failed", gateway=checkout.gateway, reason=str(error))
            except Exception:
                log.exception("checkout_close_failed", gateway=checkout.gateway, checkout=checkout.id)
        if len(waiting) < PAGE:
            return closed
        last, after = waiting[-1].created_at, waiting[-1].id


async def _expire(resources: Resources, checkout: Checkout) -> bool:
    gateway = resources[Gateways].get(checkout.gateway)
    if gateway is not None and checkout.external_id is not None:
        try:
            await gateway.close(checkout.external_id)
        except GatewayRefused:  # it was paid, and its webhook was lost
            await sync_from_gateway(resources, gateway, ObjectRef("checkout", checkout.external_id))
            return False
    async with resources[Database].transaction() as tx:
        return await close(tx, checkout.id, "expired")
