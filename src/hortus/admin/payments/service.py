"""Refund a payment once, recorded in the audit log before the gateway is called."""

from hortus import billing
from hortus.accounts import Principal
from hortus.admin.audit import actor_of, record
from hortus.core import idempotency
from hortus.core.db import Database
from hortus.core.idempotency import Claim
from hortus.core.resources import Resources


async def refund(
    resources: Resources, caller: Principal, payment_id: str, wanted: int | None, reason: str, claim: Claim, key: str
) -> bool:
    """Refund `wanted` minor units, or the rest. False when the same request did so before. Call outside transactions.

    The request is committed with its audit event before the gateway is called, so every refund is in the log.
    A repeat after a crash calls the gateway with the same key and amount. Raises what `billing.refund` raises.
    """
    database = resources[Database]
    async with database.transaction() as tx:
        earlier = await idempotency.claim(tx, claim)
        if earlier is None:
            payment = (await billing.get_payment(tx, payment_id)).payment
            amount = payment.amount_minor - payment.refunded_minor if wanted is None else wanted
            await idempotency.store(tx, claim, 202, {"amount_minor": amount})
            details = {"amount_minor": amount, "currency": payment.currency, "user_id": payment.user_id}
            await record(
                tx, actor_of(caller), "payment.refund_requested", ("payment", payment_id), details, note=reason
            )
        elif earlier.status == 200:
            return False
        else:
            amount = earlier.body["amount_minor"]
    try:
        await billing.refund(resources, payment_id, amount, key=key)
    except billing.CannotRefund:
        if earlier is None or not await _is_booked(database, payment_id, amount):
            raise
    async with database.transaction() as tx:
        await idempotency.store(tx, claim, 200, {"amount_minor": amount})
        details = {"amount_minor": amount}
        await record(tx, actor_of(caller), "payment.refunded", ("payment", payment_id), details)
    return True


async def _is_booked(database: Database, payment_id: str, amount: int) -> bool:
    """Whether a refund of that amount is booked: then the first attempt reached the gateway before it failed."""
    async with database.snapshot() as tx:
        found = await billing.get_payment(tx, payment_id)
    return any(each.amount_minor == amount for each in found.refunds)
