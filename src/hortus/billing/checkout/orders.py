"""What a customer wants, written down with its price; what comes back is measured against that."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select

from hortus.billing import coupons
from hortus.billing.checkout.close_checkout import close
from hortus.billing.coupons import Coupon, CouponNotApplicable
from hortus.billing.errors import AlreadySubscribed, GatewayUnknown, NotForSale, PaymentsNotConfigured
from hortus.billing.price_list import catalogue
from hortus.billing.price_list.amounts import require_chargeable, rounded_up
from hortus.billing.price_list.catalogue import Pack
from hortus.billing.subscriptions import sync
from hortus.billing.tables import Checkout, Subscription
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.money import credits_to_text
from hortus.payments import Gateway, Gateways
from hortus.quotas import PlanVersion


def choose_gateway(gateways: Gateways, wish: str | None, currency: str | None, *, subscription: bool) -> Gateway:
    """The gateway asked for, or the first one that fits the currency. Raises GatewayUnknown, PaymentsNotConfigured."""
    if wish is not None:
        found = gateways.get(wish)
        if found is None:
            raise GatewayUnknown
        if currency is not None and currency not in found.capabilities.currencies:
            raise NotForSale
        return found
    ready = [each for each in gateways.ready() if each.capabilities.subscriptions or not subscription]
    if not ready:
        raise PaymentsNotConfigured
    fitting = [each for each in ready if currency is None or currency in each.capabilities.currencies]
    if not fitting:
        raise NotForSale
    # The one whose own currency it is comes before those that merely take it.
    return next((each for each in fitting if currency == each.capabilities.currencies[0]), fitting[0])


def choose_currency(tx: Tx, gateway: Gateway, wish: str | None, prices: dict[str, int]) -> str:
    """The currency asked for, or the first one of the gateway in which there is a price. Raises NotForSale."""
    own = tx.settings(catalogue.BillingSettings).payment_currency.upper()
    wishes = (wish,) if wish is not None else (own, *gateway.capabilities.currencies)
    for currency in wishes:
        if currency in gateway.capabilities.currencies and prices.get(currency):
            return currency
    raise NotForSale


async def order_plan(
    tx: Tx,
    gateway: Gateway,
    user_id: str,
    plan: PlanVersion,
    interval: str,
    currency: str,
    coupon: Coupon | None = None,
) -> Checkout:
    """Write down that a user wants a plan; a use of the coupon is held for it.

    A coupon that takes all off makes the first period a free one, after which the card is charged; one that takes
    less comes instead of the plan's own trial. Raises AlreadySubscribed, NotForSale, AmountNotChargeable, and what
    coupons refuse.
    """
    if await sync.live_of(tx, user_id) is not None:
        raise AlreadySubscribed
    amount = catalogue.price_of(plan, interval, currency)
    discount = coupons.discount_of(coupon, amount, currency, plan=plan.name) if coupon is not None else 0
    trial = given = 0
    if (
        plan.terms.trial_days
        and gateway.capabilities.trials
        and discount in (0, amount)
        and not await _had_one(tx, user_id)
    ):
        trial = plan.terms.trial_days
    require_chargeable(gateway, amount, currency)  # what renewals cost
    discount = _in_steps(gateway, amount, discount, currency)
    if discount == amount:
        discount, given = 0, catalogue.credits_of(plan, interval)
        trial += (clock.months_later(clock.now(), catalogue.MONTHS[interval]) - clock.now()).days
    if coupon is not None and not (gateway.capabilities.discounts if discount else gateway.capabilities.trials):
        raise CouponNotApplicable
    if not trial:
        require_chargeable(gateway, amount - discount, currency)
    order = await _insert(
        tx,
        user_id=user_id,
        gateway=gateway.id,
        kind="subscription",
        title=f"{plan.terms.title}, {'yearly' if interval == 'year' else 'monthly'}",
        plan_id=plan.id,
        interval=interval,
        amount_minor=amount - discount,
        discount_minor=discount,
        currency=currency,
        trial_days=trial,
        credits=given,
        coupon_id=coupon.id if coupon is not None else None,
    )
    if coupon is not None:
        await _hold(tx, coupon, order)
    return order


@dataclass(frozen=True, slots=True)
class Credits:
    """Credit as it is sold: so many micro-credits for so much, as a pack or not."""

    title: str
    credits: int
    amount_minor: int
    currency: str
    pack: Pack | None = None


async def pack_wanted(tx: Tx, gateway: Gateway, name: str, currency: str | None) -> Credits:
    """A pack at its price. Raises NotForSale."""
    pack = await catalogue.pack_named(tx, name)
    chosen = choose_currency(tx, gateway, currency, pack.terms.prices)
    return Credits(pack.terms.title, pack.terms.credits, pack.terms.prices[chosen], chosen, pack)


def amount_wanted(tx: Tx, amount_minor: int, currency: str) -> Credits:
    """An amount of the customer's choice at the operator's rate. Raises NotForSale, AmountNotOffered."""
    for offered in tx.settings(catalogue.BillingSettings).amounts():
        if offered.currency == currency:
            worth = offered.credits_for(amount_minor)
            return Credits(f"{credits_to_text(worth)} credits", worth, amount_minor, currency)
    raise NotForSale


async def order_credits(
    tx: Tx, gateway: Gateway, user_id: str, wanted: Credits, coupon: Coupon | None = None, *, kind: str = "topup"
) -> Checkout:
    """Write down that a user wants credit; a use of the coupon is held for it.

    What a coupon makes free is paid at once, without the gateway. Raises AmountNotChargeable, and what coupons refuse.
    """
    pack, discount = wanted.pack, 0
    if coupon is not None:
        name = pack.terms.name if pack is not None else None
        discount = coupons.discount_of(coupon, wanted.amount_minor, wanted.currency, pack=name)
        discount = _in_steps(gateway, wanted.amount_minor, discount, wanted.currency)
    if discount != wanted.amount_minor:
        require_chargeable(gateway, wanted.amount_minor - discount, wanted.currency)
    order = await _insert(
        tx,
        user_id=user_id,
        gateway=gateway.id,
        kind=kind,
        title=wanted.title,
        pack_id=pack.id if pack is not None else None,
        credits=wanted.credits,
        amount_minor=wanted.amount_minor - discount,
        discount_minor=discount,
        currency=wanted.currency,
        coupon_id=coupon.id if coupon is not None else None,
    )
    if coupon is not None:
        await _hold(tx, coupon, order)
    if not order.amount_minor:
        await close(tx, order.id, "paid")
    return order


def _in_steps(gateway: Gateway, amount: int, discount: int, currency: str) -> int:
    """The discount that leaves an amount which the gateway can count. Raises CouponNotApplicable when none is left."""
    if discount in (0, amount):
        return discount
    left = min(amount, rounded_up(gateway, amount - discount, currency))
    if left == amount:
        raise CouponNotApplicable
    return amount - left


async def _hold(tx: Tx, coupon: Coupon, order: Checkout) -> None:
    """Hold a use of the coupon. An order of the same customer that never reached its gateway lets go of its own."""
    stuck = select(Checkout.id).where(
        Checkout.user_id == order.user_id,
        Checkout.coupon_id == coupon.id,
        Checkout.status == "new",
        Checkout.id != order.id,
    )
    for checkout_id in (await tx.execute(stuck)).scalars().all():
        await close(tx, checkout_id, "expired")
    await coupons.reserve(tx, coupon, order.user_id, order.id)


async def _insert(tx: Tx, **given: Any) -> Checkout:
    row = {
        "id": ids.new(),
        "status": "new",
        "external_id": None,
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
