"""Automatic top-ups: order a pack and charge the saved card while the customer is absent.

The order is inserted first, and its id is the idempotency key of the charge. After a crash the next sweep finds the
order and continues; the gateway charges it once.
"""

from datetime import timedelta

import structlog
from sqlalchemy import or_, select, update

from hortus import ledger, tasks
from hortus.billing.auto_topup import service
from hortus.billing.auto_topup.tables import AutoTopup
from hortus.billing.checkout import orders
from hortus.billing.checkout.close_checkout import close
from hortus.billing.checkout.service import Return, order_of
from hortus.billing.customers import buyer_of
from hortus.billing.errors import AmountNotChargeable, GatewayFailed, NotForSale
from hortus.billing.price_list.quotes import quote_pack
from hortus.billing.price_list.settings import BillingSettings
from hortus.billing.sync import sync_from_gateway
from hortus.billing.tables import Checkout
from hortus.core import clock
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.payments import Declined, Gateway, GatewayError, GatewayRefused, Gateways

log = structlog.get_logger()
PAGE = 500
IDLE = timedelta(minutes=15)
"""Pause before the next check when the cap, the hourly limit or the price list forbids an order."""
REPEATED = timedelta(hours=20)
"""Maximum age of a repeated charge: gateways keep idempotency keys for a day."""


class _NotNow(Exception):
    """The cap or hourly limit is reached, or another order is in progress."""


async def sweep_auto_topups(resources: Resources, _task: tasks.ClaimedTask) -> None:
    """Enqueue a charge for each enabled top-up whose balance is below its threshold."""
    database, after = resources[Database], ""
    while True:
        watched = select(AutoTopup.user_id, AutoTopup.below, AutoTopup.checkout_id)
        watched = watched.where(or_(AutoTopup.enabled, AutoTopup.checkout_id.is_not(None)))
        watched = watched.where(AutoTopup.user_id > after, AutoTopup.next_at <= clock.now())
        async with database.snapshot() as tx:
            rows = (await tx.execute(watched.order_by(AutoTopup.user_id).limit(PAGE))).all()
            low = await ledger.users_below(tx, {row.user_id: row.below for row in rows})
        wanted = [row.user_id for row in rows if row.user_id in low or row.checkout_id is not None]
        if wanted:
            async with database.transaction() as tx:
                for user_id in wanted:
                    await tasks.enqueue(tx, CHARGE, {"user_id": user_id}, key=f"auto_topup:{user_id}")
        if len(rows) < PAGE:
            return
        after = rows[-1].user_id


async def _work(resources: Resources, task: tasks.ClaimedTask) -> None:
    user_id, database = task.payload["user_id"], resources[Database]
    async with database.snapshot() as tx:
        row = await service.find(tx, user_id)
    if row is None or not (row.enabled or row.checkout_id):
        return
    gateway = resources[Gateways].get(row.gateway)
    checkout_id = row.checkout_id
    if checkout_id is None and gateway is not None:
        checkout_id = await _order(resources, gateway, row)
    if gateway is None or checkout_id is None:
        async with database.transaction() as tx:
            await service.pause(tx, user_id, IDLE)
        return
    await _charge(resources, gateway, checkout_id)


async def _order(resources: Resources, gateway: Gateway, row: AutoTopup) -> str | None:
    """Insert the order within all limits; None if a limit forbids it."""
    try:
        async with resources[Database].transaction() as tx:
            if not await ledger.users_below(tx, {row.user_id: row.below}):
                raise _NotNow
            wanted = await quote_pack(tx, gateway, row.pack, row.currency)
            order = await orders.order_credits(tx, gateway, row.user_id, wanted, kind="auto_topup")
            per_hour = tx.settings(BillingSettings).auto_topup_per_hour
            if not await service.start(tx, row.user_id, order.id, order.amount_minor, order.currency, per_hour):
                raise _NotNow
    except (_NotNow, NotForSale):
        return None
    except AmountNotChargeable:
        async with resources[Database].transaction() as tx:
            await service.disable_after_failures(tx, row.user_id, "refused")
        return None
    return order.id


async def _charge(resources: Resources, gateway: Gateway, checkout_id: str) -> None:
    database = resources[Database]
    async with database.snapshot() as tx:
        checkout = (await tx.execute(select(Checkout).where(Checkout.id == checkout_id))).scalar_one()
        buyer = await buyer_of(tx, gateway, checkout.user_id)
    if checkout.status != "new":
        return  # the gateway has it: a webhook follows
    if checkout.created_at < clock.now() - REPEATED:
        async with database.transaction() as tx:
            await close(tx, checkout_id, "expired")
        return
    try:
        ref = await gateway.charge(order_of(checkout, buyer, None, Return(), resources[Settings]))
    except (Declined, GatewayRefused) as error:
        log.info("auto_topup_declined", gateway=gateway.id, checkout=checkout_id, reason=str(error))
        async with database.transaction() as tx:
            if await close(tx, checkout_id, "expired") and isinstance(error, GatewayRefused):
                await service.disable_after_failures(tx, checkout.user_id, "refused")
        return
    except GatewayError as error:
        raise tasks.Retry(reason=f"{type(error).__name__}: {error}") from None
    async with database.transaction() as tx:
        taken = update(Checkout).where(Checkout.id == checkout_id, Checkout.status == "new")
        await tx.execute(taken.values(status="open"))
        waiting = update(AutoTopup).where(AutoTopup.checkout_id == checkout_id)  # a webhook follows
        await tx.execute(waiting.values(next_at=clock.now() + IDLE))
    if ref is not None:
        try:
            await sync_from_gateway(resources, gateway, ref)
        except (GatewayError, GatewayFailed) as error:
            log.warning("auto_topup_not_read", gateway=gateway.id, reason=str(error))


CHARGE = tasks.register("billing.auto_topup", _work, time_limit=120, attempts=8, backoff=5, longest_backoff=900)
