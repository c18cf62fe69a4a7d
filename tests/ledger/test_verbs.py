"""Guarantees of each function of the ledger, on both databases. Amounts are small numbers of micro-credits."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hortus import ledger
from hortus.core import ids
from hortus.core.db import Database, Tx
from hortus.core.db.paging import PageRequest

LASTS = timedelta(minutes=5)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def remaining(tx: Tx) -> dict[str, int]:
    rows = await tx.execute(text("SELECT reference, remaining FROM credit_grants"))
    return {row[0]: row[1] for row in rows}


async def spend(tx: Tx, user_id: str, amount: int) -> None:
    reference = ids.new()
    await ledger.reserve(tx, user_id, amount, reference=reference, lasts=LASTS)
    assert await ledger.settle(tx, reference)


async def sound(tx: Tx) -> bool:
    assert await ledger.check_invariants(tx) == []
    return True


async def test_a_grant_happens_once(database: Database):
    user = ids.new()
    async with database.transaction() as tx:
        assert await ledger.balance(tx, user) == ledger.Balance(0, 0)
        assert await ledger.grant(tx, user, 7, reference="pay:1", reason="Pack")
        assert not await ledger.grant(tx, user, 7, reference="pay:1", reason="Pack")
        assert await ledger.grant_signup_bonus(tx, user)
        assert not await ledger.grant_signup_bonus(tx, user)
        reasons = await tx.execute(text("SELECT reason FROM ledger_entries WHERE account = :user"), {"user": user})
        assert set(reasons.scalars()) == {"Pack", "Welcome"}
        assert await ledger.balance(tx, user) == ledger.Balance(7 + ledger.SIGNUP_BONUS, 0)
        with pytest.raises(ValueError, match="amount must be > 0"):
            await ledger.grant(tx, user, 0, reference="pay:2", reason="Pack")
        assert await sound(tx)


async def test_credit_burns_by_priority_then_expiry_then_age(database: Database):
    user = ids.new()
    with time_machine.travel(NOON):
        async with database.transaction() as tx:
            await ledger.grant(tx, user, 10, reference="bought", reason="Pack")
            await ledger.grant(tx, user, 10, reference="bonus", reason="", priority=ledger.PRIORITY_SIGNUP_BONUS)
            for name, days in (("late", 30), ("soon", 10)):
                until = NOON + timedelta(days=days)
                plan = ledger.PRIORITY_PLAN
                await ledger.grant(tx, user, 10, reference=name, reason="", priority=plan, expires_at=until)
            seen = []
            for _ in range(4):
                await spend(tx, user, 8)
                seen.append(await remaining(tx))
            assert seen == [
                {"soon": 2, "late": 10, "bonus": 10, "bought": 10},
                {"soon": 0, "late": 4, "bonus": 10, "bought": 10},
                {"soon": 0, "late": 0, "bonus": 6, "bought": 10},
                {"soon": 0, "late": 0, "bonus": 0, "bought": 8},
            ]
            assert await sound(tx)


async def test_reserve_settle_and_release_happen_once(database: Database):
    user = ids.new()
    async with database.transaction() as tx:
        await ledger.grant(tx, user, 10, reference="g", reason="")
        await ledger.reserve(tx, user, 6, reference="one", lasts=LASTS)
        await ledger.reserve(tx, user, 4, reference="two", lasts=LASTS)
        assert await ledger.balance(tx, user) == ledger.Balance(10, 10)
        with pytest.raises(ledger.AlreadyReserved):
            await ledger.reserve(tx, user, 0, reference="one", lasts=LASTS)
        with pytest.raises(ledger.InsufficientCredits) as caught:
            await ledger.reserve(tx, user, 1, reference="three", lasts=LASTS)
        assert caught.value.status == 402
        assert caught.value.extra == {"needed": "1", "available": "0", "upgrade_url": "/api/payment/plans"}
        with pytest.raises(ValueError, match="amount must be 0 to 6"):
            await ledger.settle(tx, "one", 7)
        with pytest.raises(ValueError, match="amount must be 0 to 6"):
            await ledger.settle(tx, "one", -1)
        assert await ledger.settle(tx, "one", 5)
        assert not await ledger.settle(tx, "one")
        assert not await ledger.release(tx, "one")
        assert await ledger.release(tx, "two")
        assert not await ledger.settle(tx, "two")
        with pytest.raises(ledger.UnknownReservation):
            await ledger.settle(tx, "three")
        with pytest.raises(ledger.AlreadyReserved):
            await ledger.reserve(tx, user, 1, reference="two", lasts=LASTS)
        assert await ledger.balance(tx, user) == ledger.Balance(5, 0)
        assert await sound(tx)


async def test_a_batch_is_first_come_first_served(database: Database):
    rich, poor = ids.new(), ids.new()
    async with database.transaction() as tx:
        await ledger.grant(tx, rich, 10, reference="g", reason="")
        wanted = [(rich, 6, "a"), (poor, 1, "b"), (rich, 5, "c"), (rich, 4, "d"), (rich, 0, "a"), (poor, 0, "e")]
        answers = await ledger.reserve_many(tx, [ledger.Hold(*each, LASTS) for each in wanted])
        assert [type(answer) for answer in answers] == [
            type(None),
            ledger.InsufficientCredits,
            ledger.InsufficientCredits,
            type(None),
            ledger.AlreadyReserved,
            type(None),
        ]
        closings = [ledger.Settlement("a"), ledger.Settlement("d", 9), ledger.Settlement("a"), ledger.Settlement("?")]
        closed = await ledger.close_many(tx, closings)
        assert closed[0] is True
        assert isinstance(closed[1], ValueError)
        assert closed[2] is False
        assert isinstance(closed[3], ledger.UnknownReservation)
        assert await ledger.close_many(tx, [ledger.Release(each) for each in "ded"]) == [True, True, False]
        assert await ledger.reserve_many(tx, []) == await ledger.close_many(tx, []) == []
        assert await ledger.balance(tx, rich) == ledger.Balance(4, 0)
        assert await sound(tx)


async def test_an_expired_grant_still_pays_what_it_holds(database: Database):
    user = ids.new()
    with time_machine.travel(NOON) as clock:
        async with database.transaction() as tx:
            await ledger.grant(tx, user, 10, reference="g", reason="", expires_at=NOON + timedelta(hours=1))
            await ledger.reserve(tx, user, 6, reference="r", lasts=timedelta(hours=9))
            clock.move_to(NOON + timedelta(hours=2))
            assert await ledger.balance(tx, user) == ledger.Balance(6, 6)
            with pytest.raises(ledger.InsufficientCredits):
                await ledger.reserve(tx, user, 1, reference="late", lasts=LASTS)
            assert await ledger.expire_grants(tx) == 1
            assert await ledger.expire_grants(tx) == 0
            assert await ledger.balance(tx, user) == ledger.Balance(6, 6)
            assert await ledger.settle(tx, "r", 4)
            assert await ledger.balance(tx, user) == ledger.Balance(0, 0)
            assert await ledger.expire_grants(tx) == 1
            assert await sound(tx)
            lines, _ = await ledger.entries(tx, user, PageRequest())
            assert [(line.kind, line.amount) for line in lines] == [
                ("expiry", -2),
                ("settle", -4),
                ("expiry", -4),
                ("grant", 10),
            ]


async def test_overdue_reservations_are_released_once(database: Database):
    user = ids.new()
    with time_machine.travel(NOON) as clock:
        async with database.transaction() as tx:
            await ledger.grant(tx, user, 10, reference="g", reason="")
            await ledger.reserve(tx, user, 6, reference="r", lasts=LASTS)
            await ledger.reserve(tx, user, 0, reference="free", lasts=LASTS)
            await ledger.reserve(tx, user, 1, reference="long", lasts=timedelta(days=1))
            clock.move_to(NOON + timedelta(hours=1))
            assert any("past its end" in line for line in await ledger.check_invariants(tx))
            assert sorted(await ledger.expire_reservations(tx)) == ["free", "r"]
            assert await ledger.expire_reservations(tx) == []
            assert not await ledger.settle(tx, "r")
            assert await ledger.balance(tx, user) == ledger.Balance(10, 1)
            assert await sound(tx)


async def test_a_claw_back_leaves_a_debt_that_later_grants_pay_first(database: Database):
    user = ids.new()
    async with database.transaction() as tx:
        await ledger.grant(tx, user, 10, reference="pay", reason="")
        await spend(tx, user, 4)
        await ledger.reserve(tx, user, 3, reference="running", lasts=LASTS)
        assert await ledger.claw_back(tx, grant_reference="pay", reference="refund") == 10
        assert await ledger.claw_back(tx, grant_reference="pay", reference="refund") == 0
        assert await ledger.claw_back(tx, grant_reference="pay", reference="again") == 0
        assert await ledger.balance(tx, user) == ledger.Balance(-4, 3)
        assert await sound(tx)
        assert await ledger.release(tx, "running")
        assert await ledger.balance(tx, user) == ledger.Balance(-4, 0)
        with pytest.raises(ledger.InsufficientCredits):
            await ledger.reserve(tx, user, 1, reference="r", lasts=LASTS)
        await ledger.reserve(tx, user, 0, reference="free", lasts=LASTS)
        assert await sound(tx)
        await ledger.grant(tx, user, 3, reference="small", reason="")
        await ledger.grant(tx, user, 3, reference="next", reason="")
        assert await ledger.balance(tx, user) == ledger.Balance(2, 0)
        assert await remaining(tx) == {"pay": 0, "small": 0, "next": 2}
        assert await sound(tx)
        with pytest.raises(ledger.UnknownGrant):
            await ledger.claw_back(tx, grant_reference="never", reference="x")


async def test_a_claw_back_can_be_partial_and_never_asks_for_what_expired(database: Database):
    user = ids.new()
    with time_machine.travel(NOON) as clock:
        async with database.transaction() as tx:
            await ledger.grant(tx, user, 10, reference="pay", reason="", expires_at=NOON + timedelta(hours=1))
            await spend(tx, user, 4)
            assert await ledger.claw_back(tx, grant_reference="pay", reference="part", amount=2) == 2
            assert await ledger.balance(tx, user) == ledger.Balance(4, 0)
            clock.move_to(NOON + timedelta(hours=2))
            assert await ledger.expire_grants(tx) == 1
            assert await ledger.claw_back(tx, grant_reference="pay", reference="rest") == 4
            assert await ledger.balance(tx, user) == ledger.Balance(-4, 0)
            assert await sound(tx)


async def test_what_was_held_while_its_grant_was_clawed_back_pays_the_debt_instead_of_expiring(database: Database):
    user = ids.new()
    with time_machine.travel(NOON, tick=False) as moment:
        async with database.transaction() as tx:
            ends = NOON + timedelta(hours=1)
            await ledger.grant(tx, user, 1000, reference=f"plan:{user}", reason="Plan", expires_at=ends)
            await ledger.reserve(tx, user, 300, reference=f"work:{user}", lasts=timedelta(hours=9))
            assert await ledger.claw_back(tx, grant_reference=f"plan:{user}", reference=f"refund:{user}") == 1000
            assert (await ledger.balance(tx, user)).available == -300
        moment.move_to(NOON + timedelta(hours=2))
        async with database.transaction() as tx:
            await ledger.release(tx, f"work:{user}")
            await ledger.expire_grants(tx)
            assert await ledger.balance(tx, user) == ledger.Balance(0, 0)
            assert await sound(tx)


async def test_another_grant_pays_a_debt_at_once(database: Database):
    user = ids.new()
    async with database.transaction() as tx:
        await ledger.grant(tx, user, 5, reference="first", reason="", priority=ledger.PRIORITY_PLAN)
        await ledger.grant(tx, user, 9, reference="second", reason="")
        await spend(tx, user, 5)
        assert await ledger.claw_back(tx, grant_reference="first", reference="refund") == 5
        assert await remaining(tx) == {"first": 0, "second": 4}
        await spend(tx, user, 4)
        assert await sound(tx)


async def test_history_is_paged(database: Database):
    user = ids.new()
    async with database.transaction() as tx:
        for number in range(5):
            await ledger.grant(tx, user, number + 1, reference=f"g{number}", reason="Pack")
        first, cursor = await ledger.entries(tx, user, PageRequest(limit=3))
        second, end = await ledger.entries(tx, user, PageRequest(limit=3, cursor=cursor))
    assert [line.amount for line in first + second] == [5, 4, 3, 2, 1]
    assert end is None
    assert first[0].created_at.tzinfo is not None
    assert abs(datetime.now(UTC) - first[0].created_at) < timedelta(minutes=1)


@pytest.mark.parametrize("change", ["UPDATE ledger_entries SET amount = amount + 1", "DELETE FROM ledger_entries"])
async def test_entries_cannot_be_changed(database: Database, change: str):
    user = ids.new()
    async with database.transaction() as tx:
        await ledger.grant_signup_bonus(tx, user)
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.transaction() as tx:
            await tx.execute(text(change))
    async with database.snapshot() as tx:
        assert await ledger.balance(tx, user) == ledger.Balance(ledger.SIGNUP_BONUS, 0)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE credit_accounts SET balance = balance + 1", "its entries sum to"),
        ("UPDATE credit_accounts SET held = held + 1", "its open reservations"),
        ("UPDATE credit_grants SET held = held - 1", "its parts of open reservations"),
        ("UPDATE credit_grants SET remaining = remaining - 1", "its grants have"),
        ("UPDATE credit_grants SET expired = 1", "to expiry and refunds"),
        ("UPDATE credit_reservations SET settled_amount = 1 WHERE reference = 'done'", "its entry of"),
        ("DELETE FROM reservation_parts", "its parts of"),
        (
            "INSERT INTO ledger_entries SELECT id, 'nobody', 1, 'x', '', 'x', id, created_at FROM credit_grants",
            "entries of reference x sum to 1",
        ),
    ],
)
async def test_the_check_finds_damage(database: Database, damage: str, words: str):
    user = ids.new()
    async with database.transaction() as tx:
        await ledger.grant(tx, user, 10, reference="g", reason="")
        await ledger.reserve(tx, user, 4, reference="open", lasts=LASTS)
        await ledger.reserve(tx, user, 2, reference="done", lasts=LASTS)
        await ledger.settle(tx, "done")
        assert await sound(tx)
        await tx.execute(text(damage))
        assert any(words in line for line in await ledger.check_invariants(tx))
