"""The price list: plans with their prices per currency and interval, and packs of credits."""

import hashlib
import json
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Annotated, ClassVar, cast

import structlog
from pydantic import AfterValidator, Field
from sqlalchemy import and_, func, select

from hortus import quotas
from hortus.billing.errors import AmountNotOffered, NotForSale
from hortus.billing.tables import CreditPack, GatewayPrice
from hortus.core import clock, ids
from hortus.core.configuration import Days, Json, Rule, SettingsGroup
from hortus.core.db import Database, Tx
from hortus.core.money import MICRO
from hortus.payments import Gateway, Interval, RecurringPrice
from hortus.quotas import PlanVersion

log = structlog.get_logger()
MONTHS: dict[str, int] = {"month": 1, "year": 12}


def _in_micro(rates: dict[str, Decimal]) -> dict[str, Decimal]:
    if any(not 0 < rate <= 1_000_000 or rate * MICRO != (rate * MICRO).to_integral_value() for rate in rates.values()):
        raise ValueError("above zero, with at most six decimals")
    return rates


Currency = Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")]
WholeCredits = Annotated[int, Field(ge=0, le=1_000_000_000)]
AmountsByCurrency = Annotated[
    dict[Currency, Annotated[int, Field(ge=1, le=10_000_000_000)]],
    *Json,
    Rule('a JSON object of minor units by currency, such as {"INR": 5000}'),
]


class BillingSettings(SettingsGroup):
    """What is sold besides plans, and how long a plan outlives its payment."""

    heading: ClassVar[str] = "Selling"

    payment_grace_days: Days = 3
    """Days for which a plan goes on when its renewal is late or was declined."""
    plan_rollover_periods: int = Field(0, ge=0, le=24)
    """For how many further periods the credit of a plan stays good."""
    payment_currency: Annotated[str, Field(pattern=r"^([A-Za-z]{3})?$"), Rule("a currency such as INR")] = ""
    """What is charged when a customer does not say: the first currency of the gateway unless set."""
    low_balance_credits: WholeCredits = 20
    """Whole credits below which a customer is written to, once each time; 0 writes to nobody."""
    auto_topup_per_hour: int = Field(3, ge=1, le=100)
    """How often an automatic top-up may charge one customer in an hour, whatever they set."""
    referral_reward_credits: WholeCredits = 20
    """Whole credits for whoever brought a new customer, once that one has paid; 0 gives none."""
    referral_welcome_credits: WholeCredits = 20
    """The same for the new customer."""
    referral_clawback_days: Days = 30
    """Both are taken back when the payment is refunded or lost in a dispute within so many days."""
    topup_rates: Annotated[
        dict[Currency, Decimal],
        *Json,
        AfterValidator(_in_micro),
        Rule('a JSON object of credits above zero with at most six decimals by currency, such as {"INR": "0.9"}'),
    ] = Field(default_factory=lambda: {"INR": Decimal("0.9"), "USD": Decimal(45)})
    """Credits for a hundred minor units (a rupee, a dollar) when a customer names the amount; `{}` sells packs only."""
    topup_min_minor: AmountsByCurrency = Field(default_factory=lambda: {"INR": 50_00, "USD": 1_00})
    """The least that a customer may name."""
    topup_max_minor: AmountsByCurrency = Field(default_factory=lambda: {"INR": 50_000_00, "USD": 500_00})
    """The most that a customer may name."""

    def amounts(self) -> "list[FreeAmount]":
        """The currencies in which any amount can be bought."""
        return [
            FreeAmount(
                currency.upper(),
                int(rate * MICRO),
                self.topup_min_minor.get(currency, 1),
                self.topup_max_minor.get(currency, 1_000_000_00),
            )
            for currency, rate in sorted(self.topup_rates.items())
        ]


@dataclass(frozen=True, slots=True)
class FreeAmount:
    """At what rate an amount of the customer's choice becomes credit."""

    currency: str
    credits_per_hundred: int
    """Micro-credits for a hundred minor units."""
    min_minor: int
    max_minor: int

    def credits_for(self, amount_minor: int) -> int:
        """Micro-credits for an amount; a fraction of one is not given away. Raises AmountNotOffered."""
        if not self.min_minor <= amount_minor <= self.max_minor:
            raise AmountNotOffered(currency=self.currency, min_minor=self.min_minor, max_minor=self.max_minor)
        worth = amount_minor * self.credits_per_hundred // 100
        if not worth:  # rounded to nothing: that is not sold
            raise AmountNotOffered(currency=self.currency, min_minor=self.min_minor, max_minor=self.max_minor)
        return worth


@dataclass(frozen=True, slots=True)
class PackTerms:
    """A pack as it is sold. `credits` are micro-credits, `prices` minor units by currency."""

    name: str
    title: str
    credits: int
    prices: dict[str, int]

    def digest(self) -> str:
        """Equal for equal terms."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of a pack."""

    id: str
    version: int
    terms: PackTerms


DEFAULT_PACKS = (
    PackTerms("small", "100 credits", 100 * MICRO, {"INR": 99_00, "USD": 1_99}),
    PackTerms("medium", "500 credits", 500 * MICRO, {"INR": 449_00, "USD": 7_99}),
    PackTerms("large", "2000 credits", 2000 * MICRO, {"INR": 1599_00, "USD": 24_99}),
)


# Packs -----------------------------------------------------------------------


async def ensure_packs(tx: Tx) -> None:
    """Make the default packs, or a new version of one whose defaults changed. Safe at every start, in every process."""
    for terms in DEFAULT_PACKS:
        rows = select(CreditPack.version, CreditPack.defaults).where(CreditPack.name == terms.name)
        seen = (await tx.execute(rows.order_by(CreditPack.version.desc()))).all()
        digest = next((row.defaults for row in seen if row.defaults is not None), None)
        if digest != terms.digest():
            await _insert_pack(tx, terms, seen[0].version + 1 if seen else 1, terms.digest(), active=True)


async def publish_pack(tx: Tx, terms: PackTerms, *, active: bool = True) -> Pack:
    """Make these terms the newest version of their pack; one that is not active ends its sale."""
    newest = select(func.coalesce(func.max(CreditPack.version), 0)).where(CreditPack.name == terms.name)
    while True:
        version = (await tx.execute(newest)).scalar_one() + 1
        made = await _insert_pack(tx, terms, version, None, active=active)
        if made is not None:  # otherwise another process published in the same moment
            return made


async def _insert_pack(tx: Tx, terms: PackTerms, version: int, defaults: str | None, *, active: bool) -> Pack | None:
    pack = Pack(ids.new(), version, terms)
    values = {"id": pack.id, "version": version, "active": active, "defaults": defaults, "created_at": clock.now()}
    made = await tx.execute(
        tx.insert(CreditPack)
        .values(**asdict(terms), **values)
        .on_conflict_do_nothing(index_elements=["name", "version"])
        .returning(CreditPack.id)
    )
    return pack if made.first() is not None else None


async def offered_packs(tx: Tx) -> list[Pack]:
    """The newest version of each pack, unless its sale has ended; the smallest first."""
    newest = select(CreditPack.name, func.max(CreditPack.version).label("version")).group_by(CreditPack.name).subquery()
    query = (
        select(CreditPack)
        .join(newest, and_(CreditPack.name == newest.c.name, CreditPack.version == newest.c.version))
        .where(CreditPack.active)
        .order_by(CreditPack.credits)
    )
    return [
        Pack(row.id, row.version, PackTerms(row.name, row.title, row.credits, row.prices))
        for row in (await tx.execute(query)).scalars()
    ]


async def pack_versions(tx: Tx, name: str | None = None) -> list[CreditPack]:
    """Every version of every pack, or of one, by name, the newest first; at most 500."""
    query = select(CreditPack).order_by(CreditPack.name, CreditPack.version.desc()).limit(500)
    if name is not None:
        query = query.where(CreditPack.name == name)
    return list((await tx.execute(query)).scalars())


async def end_pack_sale(tx: Tx, name: str) -> Pack:
    """Sell a pack no more. Raises NotForSale."""
    return await publish_pack(tx, (await pack_named(tx, name)).terms, active=False)


async def pack_named(tx: Tx, name: str) -> Pack:
    """The pack on sale under that name. Raises NotForSale."""
    for pack in await offered_packs(tx):
        if pack.terms.name == name:
            return pack
    raise NotForSale


# Plans -----------------------------------------------------------------------


def price_of(plan: PlanVersion, interval: str, currency: str) -> int:
    """What a period of a plan costs, above zero. Raises NotForSale."""
    amount = plan.terms.prices_per(interval).get(currency)
    if not amount:
        raise NotForSale
    return amount


async def plan_named(tx: Tx, name: str) -> PlanVersion:
    """The plan on sale under that name. Raises NotForSale."""
    for plan in await quotas.offered_plans(tx):
        if plan.name == name:
            return plan
    raise NotForSale


def credits_of(plan: PlanVersion, interval: str) -> int:
    """The credit that one period of a plan brings."""
    return plan.terms.monthly_credits * MONTHS[interval]


async def gateway_price(database: Database, gateway: Gateway, plan: PlanVersion, interval: str, currency: str) -> str:
    """The gateway's id of a price, made there if it has none yet. Never inside a transaction.

    Two first buyers at once get the same one: that which was kept first.
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
    """What a recurring price of a gateway stands for."""

    plan_id: str
    title: str
    interval: str
    currency: str
    amount_minor: int


async def resolve_price(tx: Tx, gateway: str, external_id: str) -> PriceRef | None:
    """What is behind a gateway's id of a price; None when it is none of ours."""
    query = select(GatewayPrice).where(GatewayPrice.gateway == gateway, GatewayPrice.external_id == external_id)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        log.warning("price_unknown", gateway=gateway, price=external_id)
        return None
    plan = await quotas.plan_version(tx, found.plan_id)
    return PriceRef(found.plan_id, plan.terms.title, found.interval, found.currency, found.amount_minor)
