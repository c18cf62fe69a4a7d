"""Operations on a subscription: read, change, cancel, resume. The gateway decides; its state is then applied."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import structlog
from sqlalchemy import select

from hortus import quotas
from hortus.billing.errors import CannotChange, GatewayFailed, NoSubscription, PaymentsNotConfigured, problem_of
from hortus.billing.price_list import prices
from hortus.billing.price_list.amounts import require_chargeable
from hortus.billing.subscriptions import lifecycle
from hortus.billing.sync import sync_from_gateway
from hortus.billing.tables import Subscription
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources
from hortus.payments import Gateway, GatewayError, Gateways, ObjectRef
from hortus.quotas import PlanVersion

log = structlog.get_logger()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """A proposed change. An upgrade takes effect now and costs `due_minor`; others take effect at `effective_at`."""

    plan: PlanVersion
    interval: str
    now: bool
    due_minor: int
    unused_minor: int
    currency: str
    amount_minor: int
    effective_at: datetime | None


async def details(tx: Tx, user_id: str) -> tuple[PlanVersion, Subscription | None]:
    """The plan of a user and the active subscription."""
    return await quotas.plan_of(tx, user_id), await lifecycle.live_of(tx, user_id)


async def propose(resources: Resources, user_id: str, plan_name: str, interval: str) -> Change:
    """Propose a change of plan. Raises NoSubscription, NotForSale, CannotChange, AmountNotChargeable."""
    row, gateway = await _mine(resources, user_id)
    database = resources[Database]
    async with database.snapshot() as tx:
        plan = await prices.plan_named(tx, plan_name)
        before = await quotas.plan_version(tx, row.plan_id)
        amount = prices.price_of(plan, interval, row.currency)
    if (plan.id, interval) == (row.plan_id, row.interval):
        return Change(plan, interval, False, 0, 0, row.currency, amount, row.period_end)
    if not _is_more(before, row.interval, plan, interval, row.currency):
        return Change(plan, interval, False, 0, 0, row.currency, amount, row.period_end)
    price = await _translated(prices.gateway_price(database, gateway, plan, interval, row.currency))
    owed = await _translated(gateway.preview(row.external_id, price))
    if owed.due_minor:
        require_chargeable(gateway, owed.due_minor, owed.currency)
    return Change(plan, interval, True, owed.due_minor, owed.unused_minor, owed.currency, amount, None)


async def change(resources: Resources, user_id: str, proposed: Change, key: str) -> None:
    """Apply a proposed change, once per `key`. Raises PaymentDeclined, CannotChange, GatewayFailed."""
    row, gateway = await _mine(resources, user_id)
    database = resources[Database]
    price = await _translated(prices.gateway_price(database, gateway, proposed.plan, proposed.interval, row.currency))
    await _translated(gateway.change(row.external_id, price, now=proposed.now, key=key))
    await _sync(resources, gateway, row)


async def cancel(resources: Resources, user_id: str, *, now: bool, key: str) -> None:
    """Cancel the subscription now or at the end of the period. Raises NoSubscription, GatewayFailed."""
    row, gateway = await _mine(resources, user_id)
    await _translated(gateway.cancel(row.external_id, now=now, key=key))
    if not now:  # some gateways do not report a pending cancellation
        async with resources[Database].transaction() as tx:
            await lifecycle.note_cancellation(tx, row.id)
    await _sync(resources, gateway, row)


async def resume(resources: Resources, user_id: str, *, key: str) -> None:
    """Revoke a cancellation. Raises NoSubscription, CannotChange, GatewayFailed."""
    row, gateway = await _mine(resources, user_id)
    await _translated(gateway.resume(row.external_id, key=key))
    await _sync(resources, gateway, row)


def _is_more(before: PlanVersion, interval_before: str, plan: PlanVersion, interval: str, currency: str) -> bool:
    """Whether a change is an upgrade: a higher price per month, or the same plan for a longer interval."""
    had, wanted = (
        before.terms.prices_per(interval_before).get(currency, 0),
        prices.price_of(plan, interval, currency),
    )
    if plan.name == before.name:
        return prices.MONTHS[interval] > prices.MONTHS[interval_before]
    return wanted * prices.MONTHS[interval_before] > had * prices.MONTHS[interval]


async def _mine(resources: Resources, user_id: str) -> tuple[Subscription, Gateway]:
    async with resources[Database].snapshot() as tx:
        row = await lifecycle.live_of(tx, user_id)
    if row is None:
        raise NoSubscription
    gateway = resources[Gateways].get(row.gateway)
    if gateway is None:
        raise PaymentsNotConfigured
    return row, gateway


async def _sync(resources: Resources, gateway: Gateway, row: Subscription) -> None:
    async def take() -> None:
        try:
            await sync_from_gateway(resources, gateway, ObjectRef("subscription", row.external_id))
        except GatewayFailed:  # concurrent calls applied newer states, which include this change
            log.info("subscription_read_by_others", gateway=gateway.id)

    await _translated(take())


async def _translated(call: Awaitable[T]) -> T:
    """Await a call to the gateway; raise its errors translated for customers."""
    try:
        return await call
    except GatewayError as error:
        log.warning("gateway_failed", reason=f"{type(error).__name__}: {error}")
        raise problem_of(error, CannotChange()) from error


async def subscribers(tx: Tx, user_ids: list[str]) -> set[str]:
    """The users among `user_ids` who have an active subscription."""
    query = select(Subscription.user_id).where(
        Subscription.user_id.in_(user_ids), Subscription.status.in_(lifecycle.LIVE)
    )
    return set((await tx.execute(query)).scalars())


async def end_subscription(resources: Resources, user_id: str) -> None:
    """Cancel the subscription of an account that is being closed, at its gateway, now; a no-op without one.

    Never called inside a transaction. Raises PaymentsNotConfigured, CannotChange, GatewayFailed.
    """
    async with resources[Database].snapshot() as tx:
        row = await lifecycle.live_of(tx, user_id)
    if row is None:
        return
    try:
        await cancel(resources, user_id, now=True, key=f"closed:{row.id}")
    except NoSubscription:  # it has ended meanwhile
        return
