"""Plans are versioned: a buyer keeps the version they bought until it is set anew."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, insert, or_, select, update

from hortus.core import clock, ids, stamps
from hortus.core.db import Tx
from hortus.core.settings import Settings
from hortus.quotas.defaults import BASIC, PlanSettings, PlanTerms, WindowTerms, default_terms
from hortus.quotas.errors import UnknownPlan
from hortus.quotas.tables import Plan, PlanHolder, PlanWindow


@dataclass(frozen=True, slots=True)
class HeldPlan:
    """One version of a plan; `until` is when the user who was asked about loses it, if ever."""

    id: str
    version: int
    terms: PlanTerms
    until: datetime | None = None

    @property
    def name(self) -> str:
        """`basic`, `pro`, or what the operator made."""
        return self.terms.name


async def ensure_plans(tx: Tx, settings: Settings, plan_settings: PlanSettings) -> None:
    """Make the default plans, or a new version of one whose defaults changed since it was made.

    Safe at every start and in many processes at once. A version that an operator published
    stays the newest for as long as the defaults stay the same.
    """
    for terms in default_terms(settings, plan_settings):
        versions = select(Plan.version, Plan.defaults).where(Plan.name == terms.name).order_by(Plan.version.desc())
        # One look tells both: a second one could see the version that another process just made, and make one more.
        seen = (await tx.execute(versions)).all()
        digest = next((row.defaults for row in seen if row.defaults is not None), None)
        if digest != terms.digest():
            await _insert_version(tx, terms, seen[0].version + 1 if seen else 1, terms.digest())


async def publish_plan(tx: Tx, terms: PlanTerms) -> HeldPlan:
    """Make these terms the newest version of their plan; holders of older versions keep theirs."""
    newest = select(func.coalesce(func.max(Plan.version), 0)).where(Plan.name == terms.name)
    while True:
        version = (await tx.execute(newest)).scalar_one() + 1
        published = await _insert_version(tx, terms, version, None)
        if published is not None:  # otherwise another process published in the same moment: take the number after it
            return published


async def _insert_version(tx: Tx, terms: PlanTerms, version: int, defaults: str | None) -> HeldPlan | None:
    plan_id = ids.new()
    row = tx.insert(Plan)
    made = await tx.execute(
        row.values(
            id=plan_id,
            name=terms.name,
            version=version,
            title=terms.title,
            prices=terms.prices,
            yearly_prices=terms.yearly_prices,
            features=list(terms.features),
            qualities=list(terms.qualities),
            trial_days=terms.trial_days,
            monthly_credits=terms.monthly_credits,
            active=True,
            defaults=defaults,
            created_at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=["name", "version"])
        .returning(Plan.id)
    )
    if made.first() is None:
        return None
    windows = [
        {"plan_id": plan_id, "kind": each.kind, "window": each.window, "limit": each.limit} for each in terms.windows
    ]
    if windows:
        await tx.execute(insert(PlanWindow), windows)
    return HeldPlan(plan_id, version, terms)


async def offered_plans(tx: Tx) -> list[HeldPlan]:
    """The newest active version of each plan, by name."""
    newest = select(Plan.name, func.max(Plan.version).label("version")).where(Plan.active).group_by(Plan.name)
    latest = newest.subquery()
    query = select(Plan).join(latest, and_(Plan.name == latest.c.name, Plan.version == latest.c.version))
    return await _load(tx, query.order_by(Plan.name))


@dataclass(frozen=True, slots=True)
class PlanMade:
    """One version of a plan with whether it may be sold, and when it was made."""

    plan: HeldPlan
    active: bool
    created_at: datetime


async def plan_versions(tx: Tx, name: str | None = None) -> list[PlanMade]:
    """Every version of every plan, or of one, by name, the newest first; at most 500."""
    query = select(Plan).order_by(Plan.name, Plan.version.desc()).limit(500)
    if name is not None:
        query = query.where(Plan.name == name)
    plans = {plan.id: plan for plan in (await tx.execute(query)).scalars()}
    loaded = await _load(tx, query)
    return [PlanMade(each, plans[each.id].active, plans[each.id].created_at) for each in loaded]


async def end_sale(tx: Tx, name: str) -> bool:
    """Sell no version of a plan any more; whether one was on sale. Holders keep theirs."""
    ended = update(Plan).where(Plan.name == name, Plan.active).values(active=False).returning(Plan.id)
    return bool((await tx.execute(ended)).all())


async def plan_version(tx: Tx, plan_id: str) -> HeldPlan:
    """One version of a plan, on sale or not. Raises UnknownPlan."""
    found = await _load(tx, select(Plan).where(Plan.id == plan_id))
    if not found:
        raise UnknownPlan(plan_id)
    return found[0]


async def end_plan(tx: Tx, user_id: str, plan_id: str) -> bool:
    """Take a plan that was given until some moment away now; whether the user held that version so.

    One that was given for good, or another one, stays.
    """
    ended = await tx.execute(
        update(PlanHolder)
        .where(PlanHolder.user_id == user_id, PlanHolder.plan_id == plan_id, PlanHolder.until > clock.now())
        .values(until=clock.now())
        .returning(PlanHolder.user_id)
    )
    stamps.changed(tx, plan_stamp(user_id), wait=False)
    return ended.first() is not None


async def plan_of(tx: Tx, user_id: str) -> HeldPlan:
    """The user's plan now: what was set and has not run out, otherwise the newest `basic`."""
    now = clock.now()
    held = select(PlanHolder.plan_id, PlanHolder.until).where(
        PlanHolder.user_id == user_id, or_(PlanHolder.until.is_(None), PlanHolder.until > now)
    )
    row = (await tx.execute(held)).one_or_none()
    if row is None:
        return await _newest(tx, BASIC)
    (plan,) = await _load(tx, select(Plan).where(Plan.id == row.plan_id))
    return HeldPlan(plan.id, plan.version, plan.terms, row.until)


def plan_stamp(user_id: str) -> str:
    """The name under which a process may remember what the user's plan is (see `core.stamps`)."""
    return f"plan:{user_id}"


async def set_plan(
    tx: Tx, user_id: str, *, name: str | None = None, plan_id: str | None = None, until: datetime | None = None
) -> HeldPlan:
    """Give the user a plan until some moment (None: for good): the newest of `name`, or the version `plan_id`.

    Raises UnknownPlan.
    """
    if (name is None) == (plan_id is None):
        raise ValueError("give either name or plan_id")
    if plan_id is not None:
        plan = await plan_version(tx, plan_id)
    else:
        plan = await _newest(tx, str(name))
    row = tx.insert(PlanHolder)
    values = row.values(user_id=user_id, plan_id=plan.id, until=until)
    await tx.execute(
        values.on_conflict_do_update(
            index_elements=["user_id"], set_={"plan_id": values.excluded.plan_id, "until": values.excluded.until}
        )
    )
    stamps.changed(tx, plan_stamp(user_id), wait=False)
    return HeldPlan(plan.id, plan.version, plan.terms, until)


async def _newest(tx: Tx, name: str) -> HeldPlan:
    query = select(Plan).where(Plan.name == name, Plan.active).order_by(Plan.version.desc()).limit(1)
    found = await _load(tx, query)
    if not found:
        raise UnknownPlan(name)
    return found[0]


async def _load(tx: Tx, query: Select[Any]) -> list[HeldPlan]:
    plans = list((await tx.execute(query)).scalars())
    rows = await tx.execute(
        select(PlanWindow.plan_id, PlanWindow.kind, PlanWindow.window, PlanWindow.limit)
        .where(PlanWindow.plan_id.in_([plan.id for plan in plans]))
        .order_by(PlanWindow.kind, PlanWindow.window)
    )
    windows: dict[str, list[WindowTerms]] = {plan.id: [] for plan in plans}
    for plan_id, kind, window, limit in rows:
        windows[plan_id].append(WindowTerms(kind, "day" if window == "day" else "month", limit))
    return [
        HeldPlan(
            plan.id,
            plan.version,
            PlanTerms(
                plan.name,
                plan.title,
                plan.prices,
                plan.monthly_credits,
                tuple(windows[plan.id]),
                plan.yearly_prices,
                tuple(plan.features),
                tuple(plan.qualities),
                plan.trial_days,
            ),
        )
        for plan in plans
    ]
