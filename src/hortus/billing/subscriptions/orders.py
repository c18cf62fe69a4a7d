"""Orders of a plan: price, trial, coupon, and the checkout."""

from sqlalchemy import select

from hortus.billing import coupons
from hortus.billing.checkout.orders import hold_coupon, insert_order, round_discount
from hortus.billing.coupons import Coupon, CouponNotApplicable
from hortus.billing.errors import AlreadySubscribed
from hortus.billing.price_list import prices
from hortus.billing.price_list.amounts import require_chargeable
from hortus.billing.subscriptions import lifecycle
from hortus.billing.tables import Checkout, Subscription
from hortus.core import clock
from hortus.core.db import Tx
from hortus.payments import Gateway
from hortus.quotas import PlanVersion


async def order_plan(
    tx: Tx,
    gateway: Gateway,
    user_id: str,
    plan: PlanVersion,
    interval: str,
    currency: str,
    coupon: Coupon | None = None,
) -> Checkout:
    """Insert an order of a plan and reserve a use of its coupon.

    A coupon of 100 % makes the first period free, after which the card is charged; a smaller discount replaces the
    trial of the plan. Raises AlreadySubscribed, NotForSale, AmountNotChargeable and the errors of coupons.
    """
    if await lifecycle.live_of(tx, user_id) is not None:
        raise AlreadySubscribed
    amount = prices.price_of(plan, interval, currency)
    discount = coupons.discount_of(coupon, amount, currency, plan=plan.name) if coupon is not None else 0
    trial = given = 0
    if (
        plan.terms.trial_days
        and gateway.capabilities.trials
        and discount in (0, amount)
        and not await _had_one(tx, user_id)
    ):
        trial = plan.terms.trial_days
    require_chargeable(gateway, amount, currency)  # the price of renewals
    discount = round_discount(gateway, amount, discount, currency)
    if discount == amount:
        discount, given = 0, prices.credits_of(plan, interval)
        trial += (clock.add_months(clock.now(), prices.MONTHS[interval]) - clock.now()).days
    if coupon is not None and not (gateway.capabilities.discounts if discount else gateway.capabilities.trials):
        raise CouponNotApplicable
    if not trial:
        require_chargeable(gateway, amount - discount, currency)
    order = await insert_order(
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
        await hold_coupon(tx, coupon, order)
    return order


async def _had_one(tx: Tx, user_id: str) -> bool:
    query = select(Subscription.id).where(Subscription.user_id == user_id).limit(1)
    return (await tx.execute(query)).first() is not None
