"""What is sold to somebody who leaves."""

from sqlalchemy import select

from hortus.billing.errors import NoSubscription
from hortus.billing.subscriptions import sync
from hortus.billing.subscriptions.service import cancel
from hortus.billing.tables import Subscription
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources


async def subscribers(tx: Tx, user_ids: list[str]) -> set[str]:
    """Those of the users who have a subscription that runs."""
    query = select(Subscription.user_id).where(Subscription.user_id.in_(user_ids), Subscription.status.in_(sync.LIVE))
    return set((await tx.execute(query)).scalars())


async def end_subscription(resources: Resources, user_id: str) -> None:
    """End the subscription of a user at its gateway now, so that nothing is charged again; without one, do nothing.

    Never called inside a transaction. Raises PaymentsNotConfigured, CannotChange, GatewayFailed.
    """
    async with resources.get(Database).snapshot() as tx:
        row = await sync.live_of(tx, user_id)
    if row is None:
        return
    try:
        await cancel(resources, user_id, now=True, key=f"closed:{row.id}")
    except NoSubscription:  # it ended meanwhile
        return
