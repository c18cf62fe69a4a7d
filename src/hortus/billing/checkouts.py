"""Setting out to buy: the order is written down, the gateway is told, the buyer is sent there.

The price is decided here and nowhere else; what comes back is measured against it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import insert, select, update

from hortus import accounts
from hortus.billing import sold, subscribed
from hortus.billing.errors import (
    AlreadySubscribed,
    CheckoutNotFound,
    GatewayFailed,
    GatewayUnknown,
    NotForSale,
    PaymentDeclined,
    PaymentsNotConfigured,
)
from hortus.billing.facts import keep_customer
from hortus.billing.tables import Checkout, Customer, Subscription
from hortus.core import clock, ids
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.payments import Buyer, Declined, Gateway, GatewayError, Gateways, Order, Refused
from hortus.quotas import HeldPlan

log = structlog.get_logger()
MakeOrder = Callable[[Tx], Awaitable[Checkout]]
GIVEN_UP = timedelta(days=3)
"""An order nobody paid by then is closed here; should its money still come, it counts."""


@dataclass(frozen=True, slots=True)
class Return:
    """Where the buyer goes afterwards: paths on the shop's own origin."""

    success: str = "/"
    cancel: str = "/"


def choose_gateway(gateways: Gateways, wish: str | None, currency: str | None, *, subscription: bool) -> Gateway:
    """The gateway asked for, or the first one that fits the currency. Raises GatewayUnknown, PaymentsNotConfigured."""
    if wish is not None:
        found = gateways.get(wish)
        if found is None:
            raise GatewayUnknown
        if currency is not None and currency not in found.can.currencies:
            raise NotForSale
        return found
    ready = [each for each in gateways.ready() if each.can.subscriptions or not subscription]
    if not ready:
        raise PaymentsNotConfigured
    fitting = [each for each in ready if currency is None or currency in each.can.currencies]
    if not fitting:
        raise NotForSale
    # The one whose own currency it is comes before those that merely take it.
    return next((each for each in fitting if currency == each.can.currencies[0]), fitting[0])


def choose_currency(gateway: Gateway, wish: str | None, prices: dict[str, int]) -> str:
    """The currency asked for, or the first one of the gateway in which there is a price. Raises NotForSale."""
    own = sold.BillingSettings().payment_currency.upper()
    wishes = (wish,) if wish is not None else (own, *gateway.can.currencies)
    for currency in wishes:
        if currency in gateway.can.currencies and prices.get(currency):
            return currency
    raise NotForSale


async def order_plan(
    tx: Tx, gateway: Gateway, user_id: str, plan: HeldPlan, interval: str, currency: str, *, discount: int = 0
) -> Checkout:
    """Write down that a user wants a plan. Raises AlreadySubscribed, NotForSale."""
    if await subscribed.live_of(tx, user_id) is not None:
        raise AlreadySubscribed
    amount = sold.price_of(plan, interval, currency)
    trial = 0
    if plan.terms.trial_days and gateway.can.trials and not await _had_one(tx, user_id):
        trial = plan.terms.trial_days
    return await _insert(
        tx,
        user_id=user_id,
        gateway=gateway.id,
        kind="subscription",
        title=f"{plan.terms.title}, {'yearly' if interval == 'year' else 'monthly'}",
        plan_id=plan.id,
        interval=interval,
        amount_minor=max(0, amount - discount),
        discount_minor=min(amount, discount),
        currency=currency,
        trial_days=trial,
    )


async def order_credits(
    tx: Tx,
    gateway: Gateway,
    user_id: str,
    *,
    title: str,
    credits: int,
    amount_minor: int,
    currency: str,
    pack_id: str | None = None,
    discount: int = 0,
    kind: str = "topup",
) -> Checkout:
    """Write down that a user wants so many micro-credits for so much."""
    return await _insert(
        tx,
        user_id=user_id,
        gateway=gateway.id,
        kind=kind,
        title=title,
        pack_id=pack_id,
        credits=credits,
        amount_minor=max(0, amount_minor - discount),
        discount_minor=min(amount_minor, discount),
        currency=currency,
    )


async def _insert(tx: Tx, **given: Any) -> Checkout:
    row = {
        "id": ids.new(),
        "status": "new",
        "vendor_id": None,
        "plan_id": None,
        "interval": None,
        "pack_id": None,
        "credits": 0,
        "trial_days": 0,
        "coupon_id": None,
        "url": None,
        "order": None,
        "created_at": clock.now(),
        "closed_at": None,
        **given,
    }
    await tx.execute(insert(Checkout).values(**row))
    return Checkout(**row)


async def _had_one(tx: Tx, user_id: str) -> bool:
    query = select(Subscription.id).where(Subscription.user_id == user_id).limit(1)
    return (await tx.execute(query)).first() is not None


async def begin(resources: Resources, checkout_id: str, back: Return) -> Checkout:
    """Open an order at its gateway; one that is open already stays as it is. Never inside a transaction.

    Raises PaymentDeclined, GatewayFailed, and PaymentsNotConfigured when the gateway is gone.
    """
    database = resources.get(Database)
    async with database.snapshot() as tx:
        checkout = await _load(tx, checkout_id)
        plan, price = None, None
        gateway = resources.get(Gateways).get(checkout.gateway)
        if gateway is None:
            raise PaymentsNotConfigured
        if checkout.status != "new":
            return checkout
        buyer = await buyer_of(tx, gateway, checkout.user_id)
        if checkout.plan_id is not None:
            plan = await sold.version(tx, checkout.plan_id)
            price = await sold.vendor_price(tx, gateway, plan, str(checkout.interval), checkout.currency)
    try:
        if plan is not None and price is None:
            row = await sold.make_price(gateway, plan, str(checkout.interval), checkout.currency)
            price = row["vendor_id"]
            async with database.transaction() as tx:
                await sold.keep_price(tx, row)
        order = order_of(checkout, buyer, price, back, resources.get(Settings))
        started = await gateway.start(order)
    except Declined as error:
        raise PaymentDeclined from error
    except GatewayError as error:
        log.warning("checkout_failed", gateway=gateway.id, reason=f"{type(error).__name__}: {error}")
        raise GatewayFailed from error
    async with database.transaction() as tx:
        await tx.execute(
            update(Checkout)
            .where(Checkout.id == checkout_id, Checkout.status == "new")
            .values(status="open", vendor_id=started.vendor_id, url=started.url, order=started.order)
        )
        if started.customer is not None:
            await keep_customer(tx, checkout.user_id, gateway.id, started.customer)
        return await _load(tx, checkout_id)


def order_of(checkout: Checkout, buyer: Buyer, price: str | None, back: Return, settings: Settings) -> Order:
    """A checkout as the gateway is told of it."""
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


def shop_url(settings: Settings, path: str) -> str:
    """A path on the origin that customers see: the front end, or this server."""
    return (settings.frontend_base_url or settings.origin).rstrip("/") + path


def _with(path: str, checkout_id: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}checkout={checkout_id}"


async def buyer_of(tx: Tx, gateway: Gateway, user_id: str) -> Buyer:
    """A user as the gateway may know them."""
    person = await accounts.profile_of(tx, user_id)
    query = select(Customer.vendor_id).where(Customer.user_id == user_id, Customer.gateway == gateway.id)
    customer = (await tx.execute(query)).scalar_one_or_none()
    return Buyer(user_id, person.email, person.mobile_number, person.name, customer)


async def find(tx: Tx, user_id: str, checkout_id: str) -> Checkout:
    """An order of this user. Raises CheckoutNotFound."""
    query = select(Checkout).where(Checkout.id == checkout_id, Checkout.user_id == user_id)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise CheckoutNotFound
    return found


async def _load(tx: Tx, checkout_id: str) -> Checkout:
    query = select(Checkout).where(Checkout.id == checkout_id).execution_options(populate_existing=True)
    return (await tx.execute(query)).scalar_one()


async def give_up(resources: Resources) -> int:
    """Close orders that nobody paid in time, here and at their gateways; how many."""
    closed = 0
    database = resources.get(Database)
    async with database.snapshot() as tx:
        old = select(Checkout).where(Checkout.status.in_(("new", "open")), Checkout.created_at < clock.now() - GIVEN_UP)
        waiting = (await tx.execute(old.order_by(Checkout.created_at).limit(200))).scalars().all()
    for checkout in waiting:
        gateway = resources.get(Gateways).get(checkout.gateway)
        try:
            if gateway is not None and checkout.vendor_id is not None:
                await gateway.close(checkout.vendor_id)
        except Refused:
            continue  # it was paid: the news of that is on its way
        except GatewayError as error:
            log.warning("checkout_not_closed", gateway=checkout.gateway, reason=str(error))
            continue
        async with database.transaction() as tx:
            ended = await tx.execute(
                update(Checkout)
                .where(Checkout.id == checkout.id, Checkout.status.in_(("new", "open")))
                .values(status="ended", closed_at=clock.now())
                .returning(Checkout.id)
            )
            closed += ended.first() is not None
    return closed
