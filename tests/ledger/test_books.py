"""Random sequences of operations: the ledger agrees with a simple model."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from hortus import ledger
from hortus.core import ids
from hortus.core.db import Database, Tx

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FOREVER = 10**9
STARTS = (NOON + timedelta(days=30 * number) for number in itertools.count())  # time never goes back on a database


@dataclass
class Pot:
    name: str
    priority: int
    ends: int
    amount: int
    left: int
    held: int = 0
    expired: int = 0
    reversed: int = 0


@dataclass
class Model:
    """One user's credits; hours are whole numbers."""

    start: datetime
    hour: int = 0
    debt: int = 0
    pots: list[Pot] = field(default_factory=list)
    holds: dict[str, tuple[int, list[tuple[Pot, int]]]] = field(default_factory=dict)

    def now(self) -> datetime:
        return self.start + timedelta(hours=self.hour)

    def burning(self) -> list[Pot]:
        fresh = [pot for pot in self.pots if pot.ends > self.hour and pot.left > pot.held]
        return sorted(fresh, key=lambda pot: (pot.priority, pot.ends, pot.name))

    def available(self) -> int:
        return sum(pot.left - pot.held for pot in self.burning()) - self.debt

    def pay(self) -> None:
        for pot in self.burning():
            paid = min(self.debt, pot.left - pot.held)
            pot.left -= paid
            self.debt -= paid

    def hold(self, name: str, amount: int, ends: int) -> None:
        parts = []
        for pot in self.burning():
            part = min(amount, pot.left - pot.held)
            if part:
                pot.held += part
                amount -= part
                parts.append((pot, part))
        self.holds[name] = (ends, parts)

    def close(self, name: str, paid: int) -> None:
        _, parts = self.holds.pop(name)
        for pot, part in parts:
            pot.held -= part
            pot.left -= min(part, paid)
            paid -= min(part, paid)
        self.pay()


number = st.integers(0, 30)
step = st.one_of(
    st.tuples(st.just("grant"), st.integers(1, 20), st.sampled_from([10, 20, 40]), st.sampled_from([1, 2, 5, FOREVER])),
    st.tuples(st.just("reserve"), st.integers(0, 25), st.sampled_from([1, 3, 9])),
    st.tuples(st.just("settle"), number, st.one_of(st.none(), number)),
    st.tuples(st.just("release"), number),
    st.tuples(st.just("claw_back"), number, st.one_of(st.none(), st.integers(1, 9))),
    st.tuples(st.just("end"), number),
    st.tuples(st.just("wait"), st.integers(1, 3)),
    st.tuples(st.just("sweep")),
)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(step, min_size=4, max_size=18))
async def test_the_ledger_follows_the_model(database: Database, steps: list[tuple[Any, ...]]):
    user, model = ids.new(), Model(next(STARTS))
    with time_machine.travel(model.start, tick=False) as clock:
        for verb, *details in steps:
            async with database.transaction() as tx:
                await VERBS[verb](tx, user, model, *details)
            clock.move_to(model.now())
            async with database.snapshot() as tx:
                assert [line for line in await ledger.check_invariants(tx) if "past its end" not in line] == []
                seen = await ledger.balance(tx, user)
                assert seen.available == model.available()
                assert seen.held == sum(pot.held for pot in model.pots)
                rows = await tx.execute(
                    text("SELECT reference, remaining, held FROM credit_grants WHERE user_id = :user"), {"user": user}
                )
                assert {row[0]: (row[1], row[2]) for row in rows} == {p.name: (p.left, p.held) for p in model.pots}
        async with database.transaction() as tx:  # leave nothing overdue to the next example
            clock.move_to(model.start + timedelta(days=9))
            await ledger.expire_reservations(tx)
            assert await ledger.check_invariants(tx) == []


async def grant(tx: Tx, user: str, model: Model, amount: int, priority: int, lasts: int) -> None:
    name = ids.new()
    ends = None if lasts == FOREVER else model.now() + timedelta(hours=lasts)
    arguments = {"reference": name, "reason": "", "priority": priority, "expires_at": ends}
    assert await ledger.grant(tx, user, amount, **arguments)
    assert not await ledger.grant(tx, user, amount, **arguments)
    paid = min(model.debt, amount)
    model.debt -= paid
    model.pots.append(Pot(name, priority, model.hour + lasts, amount, amount - paid))


async def reserve(tx: Tx, user: str, model: Model, amount: int, lasts: int) -> None:
    name = ids.new()
    hold = ledger.Hold(user, amount, name, timedelta(hours=lasts))
    (problem,) = await ledger.reserve_many(tx, [hold])
    if amount > max(0, model.available()):
        assert isinstance(problem, ledger.InsufficientCredits)
        assert problem.available == model.available()
    else:
        assert problem is None
        model.hold(name, amount, model.hour + lasts)


async def settle(tx: Tx, _: str, model: Model, which: int, amount: int | None) -> None:
    if not model.holds:
        return
    name = list(model.holds)[which % len(model.holds)]
    size = sum(part for _, part in model.holds[name][1])
    paid = None if amount is None else amount % (size + 1)
    assert await ledger.settle(tx, name, paid)
    assert not await ledger.settle(tx, name)
    assert not await ledger.release(tx, name)
    model.close(name, size if paid is None else paid)


async def release(tx: Tx, _: str, model: Model, which: int) -> None:
    if model.holds:
        name = list(model.holds)[which % len(model.holds)]
        assert await ledger.release(tx, name)
        assert not await ledger.settle(tx, name)
        model.close(name, 0)


async def claw_back(tx: Tx, _: str, model: Model, which: int, amount: int | None) -> None:
    if not model.pots:
        return
    pot = model.pots[which % len(model.pots)]
    left = pot.amount - pot.expired - pot.reversed
    taken = left if amount is None else min(left, amount)
    name = ids.new()
    assert await ledger.claw_back(tx, grant_reference=pot.name, reference=name, amount=amount) == taken
    if taken:
        assert await ledger.claw_back(tx, grant_reference=pot.name, reference=name, amount=amount) == 0
    own = min(taken, pot.left - pot.held)
    pot.left -= own
    pot.reversed += taken
    model.debt += taken - own
    model.pay()


async def end(tx: Tx, _: str, model: Model, which: int) -> None:
    if model.pots:
        pot = model.pots[which % len(model.pots)]
        assert await ledger.end_grant(tx, pot.name)
        pot.ends = min(pot.ends, model.hour)


async def wait(_tx: Tx, _: str, model: Model, hours: int) -> None:
    model.hour += hours


async def sweep(tx: Tx, _: str, model: Model) -> None:
    due = [name for name, (ends, _) in model.holds.items() if ends <= model.hour]
    assert sorted(await ledger.expire_reservations(tx)) == sorted(due)
    for name in due:
        model.close(name, 0)
    await ledger.expire_grants(tx)
    for pot in model.pots:
        if pot.ends <= model.hour and pot.left > pot.held:
            gone = min(pot.left - pot.held, pot.amount - pot.reversed - pot.expired)
            pot.expired += gone
            pot.left -= gone
            if pot.left > pot.held:  # a debt was made for it already: it stays, to pay that
                pot.ends = FOREVER
    model.pay()


VERBS = {
    "grant": grant,
    "reserve": reserve,
    "settle": settle,
    "release": release,
    "end": end,
    "claw_back": claw_back,
    "wait": wait,
    "sweep": sweep,
}
