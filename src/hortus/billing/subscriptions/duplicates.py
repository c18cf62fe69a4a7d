"""Duplicate subscriptions: cancel them at the gateway and refund their payments."""

from sqlalchemy import select

from hortus import tasks
from hortus.billing.sync import sync_from_gateway
from hortus.billing.tables import Payment, Subscription
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources
from hortus.payments import GatewayError, Gateways, ObjectRef


async def _cancel_and_refund(resources: Resources, task: tasks.ClaimedTask) -> None:
    """Cancel a duplicate subscription at its gateway and refund what was paid for it."""
    database = resources[Database]
    async with database.snapshot() as tx:
        query = select(Subscription).where(Subscription.id == task.payload["subscription_id"])
        row = (await tx.execute(query)).scalar_one()
    gateway = resources[Gateways].get(row.gateway)
    if gateway is None:
        raise tasks.Retry(600, f"the gateway {row.gateway} is not configured")
    ref = ObjectRef("subscription", row.external_id)
    try:
        await gateway.cancel(row.external_id, now=True, key=f"undo:{row.id}")
        await sync_from_gateway(resources, gateway, ref)
        async with database.snapshot() as tx:
            owed = select(Payment).where(Payment.subscription_id == row.id, Payment.refunded_minor == 0)
            paid = (await tx.execute(owed)).scalars().all()
        for payment in paid:
            await gateway.refund(payment.external_id, payment.amount_minor, key=f"undo:{payment.id}")
        await sync_from_gateway(resources, gateway, ref)
    except GatewayError as error:
        raise tasks.Retry(reason=f"{type(error).__name__}: {error}") from None


CANCEL_DUPLICATE = tasks.register(
    "billing.undo",
    _cancel_and_refund,
    time_limit=120,
    attempts=20,
    backoff=5,
    longest_backoff=3600,
)


async def request_cancellation(tx: Tx, subscription_id: str) -> None:
    """Enqueue the cancellation and refund of a duplicate subscription."""
    await tasks.enqueue(tx, CANCEL_DUPLICATE, {"subscription_id": subscription_id}, key=f"undo:{subscription_id}")
