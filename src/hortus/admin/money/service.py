"""Give a payment back, once, with the reason in the audit log before the gateway is asked."""

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
    """Whether this gave it back; False when the same request did so before. Never inside a transaction.

    The wish commits with its audit event before the gateway hears of it, so no money goes back that the log does
    not know. A repeat after a crash asks the gateway again with the same key, for the same amount.
    Raises what `billing.refund` raises.
    """
    database = resources.get(Database)
    async with database.transaction() as tx:
        kept = await idempotency.claim(tx, claim)
        if kept is None:
            payment = (await billing.get_payment(tx, payment_id)).payment
            amount = payment.amount_minor - payment.refunded_minor if wanted is None else wanted
            await idempotency.keep(tx, claim, 202, {"amount_minor": amount})
            details = {"amount_minor": amount, "currency": payment.currency, "user_id": payment.user_id}
            await record(tx, actor_of(caller), "payment.refund_asked", ("payment", payment_id), details, note=reason)
        elif kept.status == 200:
            return False
        else:
            amount = kept.body["amount_minor"]
    try:
        await billing.refund(resources, payment_id, amount, key=key)
    except billing.CannotRefund:
        if kept is None or not await _booked(database, payment_id, amount):
            raise
    async with database.transaction() as tx:
        await idempotency.keep(tx, claim, 200, {"amount_minor": amount})
        details = {"amount_minor": amount}
        await record(tx, actor_of(caller), "payment.refunded", ("payment", payment_id), details)
    return True


async def _booked(database: Database, payment_id: str, amount: int) -> bool:
    """Whether a refund of that amount is there already: then the first try reached the gateway before it broke off."""
    async with database.snapshot() as tx:
        looked = await billing.get_payment(tx, payment_id)
    return any(each.amount_minor == amount for each in looked.refunds)
