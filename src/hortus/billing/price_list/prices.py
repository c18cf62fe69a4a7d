"""Prices of plans: our price list, and the recurring prices of gateways."""

from dataclasses import dataclass
from typing import cast

import structlog
from sqlalchemy import select

from hortus import quotas
from hortus.billing.errors import NotForSale
from hortus.billing.tables import GatewayPrice
from hortus.core import clock
from hortus.core.db import Database, Tx
from hortus.payments import Gateway, Interval, RecurringPrice
from hortus.quotas import PlanVersion

log = structlog.get_logger()
MONTHS: dict[str, int] = {"month": 1, "year": 12}


# Plans -----------------------------------------------------------------------


def price_of(plan: PlanVersion, interval: str, currency: str) -> int:
    """The price of one period of a plan, above zero. Raises NotForSale."""
    amount = plan.terms.prices_per(interval).get(currency)
    if not amount:
        raise NotForSale
    return amount


async def plan_named(tx: Tx, name: str) -> PlanVersion:
    """The plan on sale with that name. Raises NotForSale."""
    for plan in await quotas.offered_plans(tx):
        if plan.name == name:
            return plan
    raise NotForSale


def credits_of(plan: PlanVersion, interval: str) -> int:
    """The credits of one period of a plan."""
    return plan.terms.monthly_credits * MONTHS[interval]


async def gateway_price(database: Database, gateway: Gateway, plan: PlanVersion, interval: str, currency: str) -> str:
    """The gateway's id of a price, created there on first use. Never called inside a transaction.

    Concurrent first buyers get the same id: the one stored first.
    """
    async with database.snapshot() as tx:
        known = await _kept_price(tx, gateway, plan, interval, currency)
    if known is not None:
        return known
    amount = price_of(plan, interval, currency)
    wanted = RecurringPrice(
        f"{plan.id}:{interval}:{currency}", plan.terms.title, cast("Interval", interval), amount, currency
    )
    row = {
        "gateway": gateway.id,
        "plan_id": plan.id,
        "interval": interval,
        "currency": currency,
        "amount_minor": amount,
        "external_id": await gateway.price(wanted),
        "created_at": clock.now(),
    }
    async with database.transaction() as tx:
        await tx.execute(tx.insert(GatewayPrice).values(**row).on_conflict_do_nothing())
        return str(await _kept_price(tx, gateway, plan, interval, currency))


async def _kept_price(tx: Tx, gateway: Gateway, plan: PlanVersion, interval: str, currency: str) -> str | None:
    found = await tx.execute(
        select(GatewayPrice.external_id).where(
            GatewayPrice.gateway == gateway.id,
            GatewayPrice.plan_id == plan.id,
            GatewayPrice.interval == interval,
            GatewayPrice.currency == currency,
        )
    )
    return found.scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class PriceRef:
    """The plan, interval and amount of a gateway's recurring price."""

    plan_id: str
    title: str
    interval: str
    currency: str
    amount_minor: int


async def resolve_price(tx: Tx, gateway: str, external_id: str) -> PriceRef | None:
    """The plan behind a gateway's price id; None if it is not from this installation."""
    query = select(GatewayPrice).where(GatewayPrice.gateway == gateway, GatewayPrice.external_id == external_id)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        log.warning("price_unknown", gateway=gateway, price=external_id)
        return None
    plan = await quotas.plan_version(tx, found.plan_id)
    return PriceRef(found.plan_id, plan.terms.title, found.interval, found.currency, found.amount_minor)
