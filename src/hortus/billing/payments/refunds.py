"""Refunds by the operator."""

import structlog
from sqlalchemy import select

from hortus.billing.errors import CannotRefund, PaymentNotFound, PaymentsNotConfigured, problem_of
from hortus.billing.price_list.amounts import rounded_up
from hortus.billing.sync import sync_from_gateway
from hortus.billing.tables import Payment
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.payments import GatewayError, Gateways, ObjectRef

log = structlog.get_logger()


async def refund(resources: Resources, payment_id: str, amount_minor: int | None, *, key: str) -> None:
    """Refund a payment, in full or `amount_minor`, once per `key`; its credits are clawed back.

    Raises PaymentNotFound, CannotRefund, GatewayFailed, PaymentsNotConfigured.
    """
    async with resources[Database].snapshot() as tx:
        row = (await tx.execute(select(Payment).where(Payment.id == payment_id))).scalar_one_or_none()
    if row is None:
        raise PaymentNotFound
    gateway = resources[Gateways].get(row.gateway)
    if gateway is None:
        raise PaymentsNotConfigured
    left = row.amount_minor - row.refunded_minor
    amount = left if amount_minor is None else amount_minor
    if not 0 < amount <= left:
        raise CannotRefund(left_minor=left)
    step = rounded_up(gateway, 1, row.currency)
    if amount % step and amount != left:
        raise CannotRefund(
            f"This gateway refunds multiples of {step} minor units.", left_minor=left, multiple_minor=step
        )
    try:
        await gateway.refund(row.external_id, amount, key=key)
        await sync_from_gateway(resources, gateway, ObjectRef("payment", row.external_id))
    except GatewayError as error:
        log.warning("refund_failed", gateway=gateway.id, reason=f"{type(error).__name__}: {error}")
        raise problem_of(error, CannotRefund(left_minor=left)) from error
