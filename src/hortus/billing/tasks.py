"""Work on money that nobody waits for."""

import structlog
from sqlalchemy import select

from hortus import accounts, ledger, tasks
from hortus.billing.auto_topup import charge as auto_topup
from hortus.billing.checkout import service
from hortus.billing.low_balance import emails
from hortus.billing.payments import documents
from hortus.billing.referrals import tasks as referrals
from hortus.billing.signals import (
    dispute_lost,
    payment_failed,
    payment_matched,
    payment_received,
    payment_reversed,
    subscription_duplicate,
)
from hortus.billing.subscriptions import dunning
from hortus.billing.sync import sync_from_gateway
from hortus.billing.tables import Payment, Subscription
from hortus.billing.webhooks.inbox import reconcile
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources
from hortus.payments import GatewayError, Gateways, ObjectRef

log = structlog.get_logger()


async def _undo(resources: Resources, task: tasks.ClaimedTask) -> None:
    """Cancel a second subscription of somebody who has one, and give back what it cost."""
    database = resources.get(Database)
    async with database.snapshot() as tx:
        query = select(Subscription).where(Subscription.id == task.payload["subscription_id"])
        row = (await tx.execute(query)).scalar_one()
    gateway = resources.get(Gateways).get(row.gateway)
    if gateway is None:
        raise tasks.Retry(600, f"the gateway {row.gateway} is not set up any more")
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


UNDO = tasks.register("billing.undo", _undo, time_limit=120, attempts=20, backoff=5, longest_backoff=3600)


async def _enqueue_undo(tx: Tx, subscription_id: str) -> None:
    await tasks.enqueue(tx, UNDO, {"subscription_id": subscription_id}, key=f"undo:{subscription_id}")


async def _sweep(resources: Resources, _task: tasks.ClaimedTask) -> None:
    await service.give_up(resources)


PERIODIC = (
    tasks.register_periodic("billing.reconcile", reconcile, 600),
    tasks.register_periodic("billing.sweep", _sweep, 3600),
    tasks.register_periodic("billing.auto_topup_sweep", auto_topup.sweep, 15),
    tasks.register_periodic("billing.low_balance", emails.sweep, 60),
)


def connect_signals() -> None:
    """Let this package react to payments, refunds, disputes, grants and sign-ups; again is fine."""
    subscription_duplicate.connect(_enqueue_undo)
    payment_received.connect(documents.request_invoice)
    payment_matched.connect(documents.request_invoice)
    payment_matched.connect(referrals.hear_payment)
    payment_reversed.connect(documents.request_refund_note)
    dispute_lost.connect(documents.request_dispute_note)
    ledger.granted.connect(emails.watch)
    payment_failed.connect(dunning.hear)
    payment_received.connect(referrals.hear_payment)
    payment_reversed.connect(referrals.hear_refund)
    dispute_lost.connect(referrals.hear_lost)
    accounts.user_referred.connect(referrals.hear_sign_up)
