"""Dunning: email customers whose renewal failed. Failures at a checkout are shown on its page."""

from sqlalchemy import select

from hortus import auth, quotas, tasks
from hortus.billing.errors import NotForSale
from hortus.billing.links import shop_url
from hortus.billing.price_list import prices
from hortus.billing.subscriptions.lifecycle import LIVE
from hortus.billing.tables import FailedPayment, Subscription
from hortus.core.db import Database, Tx
from hortus.core.money import money_to_text
from hortus.core.resources import Resources
from hortus.core.settings import Settings


async def on_payment_failed(tx: Tx, failed_id: str) -> None:
    """Enqueue the email about a failed renewal."""
    await tasks.enqueue(tx, NOTIFY, {"failed_id": failed_id}, key=f"dunning:{failed_id}")


async def _notify(resources: Resources, task: tasks.ClaimedTask) -> None:
    async with resources[Database].transaction() as tx:
        query = (
            select(Subscription)
            .join(FailedPayment, FailedPayment.subscription_id == Subscription.id)
            .where(FailedPayment.id == task.payload["failed_id"])
        )
        row = (await tx.execute(query)).scalar_one_or_none()
        if row is None or row.status not in LIVE:
            return
        plan = await quotas.plan_version(tx, row.next_plan_id or row.plan_id)
        try:
            owed = prices.price_of(plan, row.next_interval or row.interval, row.currency)
        except NotForSale:
            return
        link = shop_url(resources[Settings], "/billing")
        amount = money_to_text(owed, row.currency)
        await auth.notify_user(tx, row.user_id, "payment_failed", amount=amount, link=link)


NOTIFY = tasks.register("billing.dunning", _notify, queue="mail", attempts=8)
