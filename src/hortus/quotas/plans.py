"""Plans and their versions. A customer keeps the version they bought until they are given another one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, insert, or_, select, update

from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.db.compiled_select import Executor
from hortus.core.settings import Settings
from hortus.quotas import statements
from hortus.quotas.defaults import BASIC, PlanSettings, PlanTerms, WindowTerms, default_terms
from hortus.quotas.errors import UnknownPlan
from hortus.quotas.tables import Plan, PlanWindow, UserPlan


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """One version of a plan. For the plan of a user, `until` is when it ends; None is unlimited."""

    id: str
    version: int
    terms: PlanTerms
    until: datetime | None = None

    @property
    def name(self) -> str:
        """`basic`, `pro`, or what the operator made."""
        return self.terms.name


async def ensure_plans(tx: Tx, settings: Settings, plan_settings: PlanSettings) -> None:
    """Insert the default plans, or a new version of a plan whose defaults changed since it was inserted.

    Safe at every start and in many processes at once. A version that an operator published
    stays the newest for as long as the defaults do not change.
    """
    for terms in default_terms(settings, plan_settings):
        versions = select(Plan.version, Plan.defaults).where(Plan.name == terms.name).order_by(Plan.version.desc())
        # One query for both values: a second one could read the version that another process just inserted.
        rows = (await tx.execute(versions)).all()
        digest = next((row.defaults for row in rows if row.defaults is not None), None)
        if digest != terms.digest():
            await _insert_version(tx, terms, rows[0].version + 1 if rows else 1, terms.digest())


async def publish_plan(tx: Tx, terms: PlanTerms) -> PlanVersion:
    """Publish these terms as the newest version of their plan; users with older versions keep theirs."""
    newest = select(func.coalesce(func.max(Plan.version), 0)).where(Plan.name == terms.name)
    while True:
        version = (await tx.execute(newest)).scalar_one() + 1
        published = await _insert_version(tx, terms, version, None)
        if published is not None:  # otherwise another process inserted this version number: retry with the next
            return published


async def _insert_version(tx: Tx, terms: PlanTerms, version: int, defaults: str | None) -> PlanVersion | None:
    plan_id = ids.new()
    row = tx.insert(Plan)
    inserted = await tx.execute(
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
    if inserted.first() is None:
        return None
    windows = [
        {"plan_id": plan_id, "kind": each.kind, "window": each.window, "limit": each.limit} for each in terms.windows
    ]
    if windows:
        await tx.execute(insert(PlanWindow), windows)
    return PlanVersion(plan_id, version, terms)


async def offered_plans(tx: Tx) -> list[PlanVersion]:
    """The newest active version of each plan, by name."""
    newest = select(Plan.name, func.max(Plan.version).label("version")).where(Plan.active).group_by(Plan.name)
    latest = newest.subquery()
    query = select(Plan).join(latest, and_(Plan.name == latest.c.name, Plan.version == latest.c.version))
    return await _load(tx, query.order_by(Plan.name))


@dataclass(frozen=True, slots=True)
class PlanVersionRow:
    """One version of a plan, whether it is on sale, and when it was created."""

    plan: PlanVersion
    active: bool
    created_at: datetime


async def plan_versions(tx: Tx, name: str | None = None) -> list[PlanVersionRow]:
    """All versions of all plans, or of the named one, by name and newest first; at most 500."""
    query = select(Plan).order_by(Plan.name, Plan.version.desc()).limit(500)
    if name is not None:
        query = query.where(Plan.name == name)
    plans = {plan.id: plan for plan in (await tx.execute(query)).scalars()}
    loaded = await _load(tx, query)
    return [PlanVersionRow(each, plans[each.id].active, plans[each.id].created_at) for each in loaded]


async def end_sale(tx: Tx, name: str) -> bool:
    """Stop selling all versions of a plan; False when none was on sale. Users who have it keep it."""
    ended = update(Plan).where(Plan.name == name, Plan.active).values(active=False).returning(Plan.id)
    return bool((await tx.execute(ended)).all())


async def plan_version(tx: Tx, plan_id: str) -> PlanVersion:
    """One version of a plan, on sale or not. Raises UnknownPlan."""
    found = await _load(tx, select(Plan).where(Plan.id == plan_id))
    if not found:
        raise UnknownPlan(plan_id)
    return found[0]


async def end_plan(tx: Tx, user_id: str, plan_id: str) -> bool:
    """End a user's temporary plan now; False when the user does not have this version temporarily.

    An unlimited plan or another version stays.
    """
    ended = await tx.execute(
        update(UserPlan)
        .where(UserPlan.user_id == user_id, UserPlan.plan_id == plan_id, UserPlan.until > clock.now())
        .values(until=clock.now())
        .returning(UserPlan.user_id)
    )
    tx.invalidate_cache(plan_cache_key(user_id), wait=False)
    return ended.first() is not None


async def plan_name(executor: Executor, user_id: str) -> str:
    """The name of the user's current plan; one query."""
    rows = await executor.read(statements.PLAN_NAME, user_id=user_id, now=clock.now())
    if not rows:
        raise UnknownPlan("there is no plan `basic`; call ensure_plans at start-up")
    return str(rows[0][0])


async def plan_of(tx: Tx, user_id: str) -> PlanVersion:
    """The user's current plan: the assigned one until it ends, otherwise the newest `basic`."""
    now = clock.now()
    assigned = select(UserPlan.plan_id, UserPlan.until).where(
        UserPlan.user_id == user_id, or_(UserPlan.until.is_(None), UserPlan.until > now)
    )
    row = (await tx.execute(assigned)).one_or_none()
    if row is None:
        return await _newest(tx, BASIC)
    (plan,) = await _load(tx, select(Plan).where(Plan.id == row.plan_id))
    return PlanVersion(plan.id, plan.version, plan.terms, row.until)


def plan_cache_key(user_id: str) -> str:
    """The name under which a process may remember what the user's plan is (see `core.cache`)."""
    return f"plan:{user_id}"


async def set_plan(
    tx: Tx, user_id: str, *, name: str | None = None, plan_id: str | None = None, until: datetime | None = None
) -> PlanVersion:
    """Assign a plan to the user `until` a time (None: unlimited): the newest of `name`, or the version `plan_id`.

    Raises UnknownPlan.
    """
    if (name is None) == (plan_id is None):
        raise ValueError("pass either name or plan_id")
    if plan_id is not None:
        plan = await plan_version(tx, plan_id)
    else:
        plan = await _newest(tx, str(name))
    row = tx.insert(UserPlan)
    values = row.values(user_id=user_id, plan_id=plan.id, until=until)
    await tx.execute(
        values.on_conflict_do_update(
            index_elements=["user_id"], set_={"plan_id": values.excluded.plan_id, "until": values.excluded.until}
        )
    )
    tx.invalidate_cache(plan_cache_key(user_id), wait=False)
    return PlanVersion(plan.id, plan.version, plan.terms, until)


async def _newest(tx: Tx, name: str) -> PlanVersion:
    query = select(Plan).where(Plan.name == name, Plan.active).order_by(Plan.version.desc()).limit(1)
    found = await _load(tx, query)
    if not found:
        raise UnknownPlan(name)
    return found[0]


async def _load(tx: Tx, query: Select[Any]) -> list[PlanVersion]:
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
        PlanVersion(
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
