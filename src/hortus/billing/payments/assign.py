"""Assign an unmatched payment to a checkout or to a customer."""

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
    """Assign an unmatched payment to an unpaid checkout of credits: mark it paid and grant its credits.

    The administrator decides, so amount and currency may differ from those of the checkout.
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
    """Assign an unmatched payment to a customer, without credits; an administrator can grant those separately.

    Raises PaymentNotFound, UserNotFound, CannotAssign.
    """
    await _unmatched(tx, payment_id)
    if await accounts.status_of(tx, user_id) == "deleted":
        raise CannotAssign
    await _assign(tx, payment_id, kind="topup", user_id=user_id)


async def _unmatched(tx: Tx, payment_id: str) -> None:
    """Lock the payment. Raises PaymentNotFound, and CannotAssign if it is not unmatched."""
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
