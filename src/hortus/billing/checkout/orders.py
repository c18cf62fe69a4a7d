"""Insert orders of credits with their price and coupon; the payment is compared with the stored price."""

from typing import Any

from sqlalchemy import insert, select

from hortus.billing import coupons
from hortus.billing.checkout.close_checkout import close
from hortus.billing.coupons import Coupon, CouponNotApplicable
from hortus.billing.price_list.amounts import require_chargeable, rounded_up
from hortus.billing.price_list.quotes import CreditQuote
from hortus.billing.tables import Checkout
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.payments import Gateway


async def order_credits(
    tx: Tx, gateway: Gateway, user_id: str, wanted: CreditQuote, coupon: Coupon | None = None, *, kind: str = "topup"
) -> Checkout:
    """Insert an order of credits and reserve a use of its coupon.

    An order that the coupon makes free is paid at once. Raises AmountNotChargeable and the errors of coupons.
    """
    pack, discount = wanted.pack, 0
    if coupon is not None:
        name = pack.terms.name if pack is not None else None
        discount = coupons.discount_of(coupon, wanted.amount_minor, wanted.currency, pack=name)
        discount = round_discount(gateway, wanted.amount_minor, discount, wanted.currency)
    if discount != wanted.amount_minor:
        require_chargeable(gateway, wanted.amount_minor - discount, wanted.currency)
    order = await insert_order(
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
        await hold_coupon(tx, coupon, order)
    if not order.amount_minor:
        await close(tx, order.id, "paid")
    return order


def round_discount(gateway: Gateway, amount: int, discount: int, currency: str) -> int:
    """Round a discount so that the rest is chargeable. Raises CouponNotApplicable if no discount is left."""
    if discount in (0, amount):
        return discount
    left = min(amount, rounded_up(gateway, amount - discount, currency))
    if left == amount:
        raise CouponNotApplicable
    return amount - left


async def hold_coupon(tx: Tx, coupon: Coupon, order: Checkout) -> None:
    """Reserve a use of the coupon. Orders of the same customer that never reached the gateway release theirs."""
    stuck = select(Checkout.id).where(
        Checkout.user_id == order.user_id,
        Checkout.coupon_id == coupon.id,
        Checkout.status == "new",
        Checkout.id != order.id,
    )
    for checkout_id in (await tx.execute(stuck)).scalars().all():
        await close(tx, checkout_id, "expired")
    await coupons.reserve(tx, coupon, order.user_id, order.id)


async def insert_order(tx: Tx, **given: Any) -> Checkout:
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
