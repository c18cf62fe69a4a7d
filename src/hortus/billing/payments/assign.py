"""Assign a payment that fits no order to one, or to the customer who made it."""

from sqlalchemy import select, update

from hortus import accounts
from hortus.billing import grants, referrals
from hortus.billing.checkout.close_checkout import close
from hortus.billing.errors import CannotAssign, CheckoutNotFound, PaymentNotFound
from hortus.billing.payments.documents import request_invoice
from hortus.billing.tables import Checkout, Payment
from hortus.core.db import Tx

CREDIT_ORDERS = ("topup", "auto_topup")


async def assign_to_checkout(tx: Tx, payment_id: str, checkout_id: str) -> None:
    """Count an unmatched payment as the one of an unpaid order of credit: the order is paid, its credit is granted.

    The price was the operator's decision, so amount and currency may differ from the order's.
    Raises PaymentNotFound, CheckoutNotFound, CannotAssign.
    """
    await _unmatched(tx, payment_id)
    query = select(Checkout).where(Checkout.id == checkout_id).with_for_update()
    checkout = (await tx.execute(query)).scalar_one_or_none()
    if checkout is None:
        raise CheckoutNotFound
    deleted = await accounts.status_of(tx, checkout.user_id) == "deleted"
    if deleted or checkout.kind not in CREDIT_ORDERS or not await close(tx, checkout.id, "paid", gives=False):
        raise CannotAssign
    await _assign(
        tx,
        payment_id,
        kind=checkout.kind,
        user_id=checkout.user_id,
        title=checkout.title,
        credits=checkout.credits,
        checkout_id=checkout.id,
    )


async def assign_to_user(tx: Tx, payment_id: str, user_id: str) -> None:
    """Count an unmatched payment as one of this customer, without credit: that is given under the rules for gifts.

    Raises PaymentNotFound, UserNotFound, CannotAssign.
    """
    await _unmatched(tx, payment_id)
    if await accounts.status_of(tx, user_id) == "deleted":
        raise CannotAssign
    await _assign(tx, payment_id, kind="topup", user_id=user_id)


async def _unmatched(tx: Tx, payment_id: str) -> None:
    """Lock the payment. Raises PaymentNotFound, and CannotAssign for one that waits for nobody."""
    query = select(Payment).where(Payment.id == payment_id).with_for_update()
    payment = (await tx.execute(query)).scalar_one_or_none()
    if payment is None:
        raise PaymentNotFound
    if payment.kind != "unmatched" or payment.refunded_minor or payment.disputed_minor:
        raise CannotAssign


async def _assign(tx: Tx, payment_id: str, **values: object) -> None:
    await tx.execute(update(Payment).where(Payment.id == payment_id).values(**values))
    if values.get("credits"):
        await grants.grant_for(tx, payment_id)
    await request_invoice(tx, payment_id)
    await referrals.on_payment_received(tx, payment_id)
