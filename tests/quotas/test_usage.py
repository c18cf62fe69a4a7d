"""Consumption, restoring and the calendar, on both databases."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hortus import quotas
from hortus.core import ids
from hortus.core.db import Database, Tx
from hortus.quotas.windows import periods_at

KOLKATA = ZoneInfo("Asia/Kolkata")
NEW_YORK = ZoneInfo("America/New_York")


async def used(tx: Tx, user: str, kind: str, zone: ZoneInfo | None = None) -> dict[str, int]:
    shown = await quotas.usage(tx, user, zone=zone or UTC)
    return {each.window: each.used for each in shown.windows if each.kind == kind}


async def test_usage_shows_every_window(planned: Database):
    user = ids.new()
    with time_machine.travel(datetime(2026, 11, 21, 12, tzinfo=UTC)):
        async with planned.transaction() as tx:
            await quotas.consume(tx, user, "text", reference="a", zone=UTC, count=2)
            shown = await quotas.usage(tx, user, zone=UTC)
    midnight, december = datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    assert shown == quotas.PlanUsage(
        "basic",
        [
            quotas.WindowUsage("chat", "day", 5, 0, 5, midnight),
            quotas.WindowUsage("image", "month", 5, 0, 5, december),
            quotas.WindowUsage("text", "day", 5, 2, 3, midnight),
            quotas.WindowUsage("text", "month", 50, 2, 48, december),
            quotas.WindowUsage("video", "month", 1, 0, 1, december),
        ],
    )


async def test_the_error_names_the_reset(planned: Database):
    user = ids.new()
    with time_machine.travel(datetime(2026, 11, 21, 23, 59, 30, tzinfo=UTC), tick=False):
        async with planned.transaction() as tx:
            await quotas.consume(tx, user, "text", reference="a", zone=UTC, count=4)
            with pytest.raises(quotas.QuotaExceeded) as caught:
                await quotas.consume(tx, user, "text", reference="b", zone=UTC, count=2)
            assert caught.value.status == 429
            assert caught.value.headers == {"Retry-After": "30"}
            assert caught.value.extra == {
                "kind": "text",
                "window": "day",
                "limit": 5,
                "used": 4,
                "resets_at": "2026-11-22T00:00:00Z",
                "retry_after": 30,
                "upgrade_url": "/api/payment/plans",
            }
            await quotas.consume(tx, user, "text", reference="b", zone=UTC)
            assert await used(tx, user, "text") == {"day": 5, "month": 5}


async def test_a_batch_is_first_come_first_served(planned: Database):
    one, two = ids.new(), ids.new()
    async with planned.transaction() as tx:
        wanted = [("a", one, 1), ("b", one, 1), ("c", two, 1), ("a", one, 1), ("d", one, 0)]
        answers = await quotas.consume_many(tx, [quotas.QuotaUse(r, u, "video", n) for r, u, n in wanted], zone=UTC)
        kinds = [type(answer) for answer in answers]
        assert kinds == [type(None), quotas.QuotaExceeded, type(None), quotas.AlreadyConsumed, type(None)]
        assert await quotas.consume_many(tx, [], zone=UTC) == await quotas.restore_many(tx, []) == []
        with pytest.raises(quotas.AlreadyConsumed):
            await quotas.consume(tx, one, "video", reference="a", zone=UTC)
        assert await quotas.restore_many(tx, ["a", "a", "?", "b", "d"]) == [True, False, False, False, True]
        await quotas.consume(tx, one, "video", reference="b", zone=UTC)


async def test_a_kind_without_a_window_is_unlimited_and_so_is_a_null_limit(planned: Database):
    user = ids.new()
    async with planned.transaction() as tx:
        await quotas.consume(tx, user, "speech", reference="a", zone=UTC, count=10**6)
        await quotas.publish_plan(
            tx, quotas.PlanTerms("free", "Free", {}, 0, (quotas.WindowTerms("chat", "day", None),))
        )
        await quotas.set_plan(tx, user, name="free")
        await quotas.consume(tx, user, "chat", reference="b", zone=UTC, count=10**6)
        (window,) = (await quotas.usage(tx, user, zone=UTC)).windows
        assert (window.limit, window.used, window.remaining) == (None, 10**6, None)


async def test_what_was_used_counts_in_the_next_plan_too(planned: Database):
    user = ids.new()
    async with planned.transaction() as tx:
        await quotas.set_plan(tx, user, name="pro")
        await quotas.consume(tx, user, "text", reference="a", zone=UTC, count=60)
        await quotas.set_plan(tx, user, name="basic")
        assert await used(tx, user, "text") == {"day": 60, "month": 60}
        assert all(
            each.remaining == 0 for each in (await quotas.usage(tx, user, zone=UTC)).windows if each.kind == "text"
        )
        with pytest.raises(quotas.QuotaExceeded) as caught:
            await quotas.consume(tx, user, "text", reference="b", zone=UTC)
        assert caught.value.extra["window"] == "month"  # waiting for the next day does not help


async def test_windows_turn_over_at_local_midnight(planned: Database):
    user = ids.new()
    last_evening = datetime(2026, 11, 30, 23, 59, 50, tzinfo=KOLKATA)
    with time_machine.travel(last_evening, tick=False) as clock:
        async with planned.transaction() as tx:
            for n in range(5):
                await quotas.consume(tx, user, "text", reference=f"a{n}", zone=KOLKATA)
            with pytest.raises(quotas.QuotaExceeded) as caught:
                await quotas.consume(tx, user, "text", reference="b", zone=KOLKATA)
            assert caught.value.extra["resets_at"] == "2026-11-30T18:30:00Z"
            assert caught.value.extra["retry_after"] == 10
            clock.shift(10)
            assert await used(tx, user, "text", KOLKATA) == {"day": 0, "month": 0}
            await quotas.consume(tx, user, "text", reference="b", zone=KOLKATA)
            assert await quotas.restore(tx, "a0")  # into November, where it was counted
            assert await used(tx, user, "text", KOLKATA) == {"day": 1, "month": 1}
            clock.shift(-10)
            assert await used(tx, user, "text", KOLKATA) == {"day": 4, "month": 4}
            assert not await quotas.restore(tx, "a0")


@pytest.mark.parametrize(
    ("moment", "zone", "day", "day_ends", "month_ends"),
    [
        # The clock goes back: the day has 25 hours and the month ends in winter time.
        ("2026-11-01T03:30Z", NEW_YORK, date(2026, 10, 31), "2026-11-01T04:00Z", "2026-11-01T04:00Z"),
        ("2026-11-01T04:30Z", NEW_YORK, date(2026, 11, 1), "2026-11-02T05:00Z", "2026-12-01T05:00Z"),
        # It goes forward: 23 hours.
        ("2026-03-08T05:00Z", NEW_YORK, date(2026, 3, 8), "2026-03-09T04:00Z", "2026-04-01T04:00Z"),
        # Midnight is skipped: the day begins at one o'clock.
        (
            "2018-11-03T12:00Z",
            ZoneInfo("America/Sao_Paulo"),
            date(2018, 11, 3),
            "2018-11-04T03:00Z",
            "2018-12-01T02:00Z",
        ),
        ("2026-12-31T23:00Z", UTC, date(2026, 12, 31), "2027-01-01T00:00Z", "2027-01-01T00:00Z"),
        ("2028-02-28T20:00Z", KOLKATA, date(2028, 2, 29), "2028-02-29T18:30Z", "2028-02-29T18:30Z"),
    ],
)
def test_the_calendar(moment: str, zone: ZoneInfo, day: date, day_ends: str, month_ends: str):
    periods = periods_at(datetime.fromisoformat(moment), zone)
    assert periods.starts == {"day": day, "month": day.replace(day=1)}
    assert periods.ends == {"day": datetime.fromisoformat(day_ends), "month": datetime.fromisoformat(month_ends)}


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone is beside it
    st.sampled_from(["Asia/Kolkata", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Africa/Cairo"]),
)
@settings(max_examples=200, deadline=None)
def test_a_moment_is_within_its_periods_and_their_end_is_in_the_next(moment: datetime, name: str):
    zone = ZoneInfo(name)
    periods = periods_at(moment, zone)
    for window, end in periods.ends.items():
        assert moment < end
        assert periods_at(end - timedelta(microseconds=1), zone).starts[window] == periods.starts[window]
        assert periods_at(end, zone).starts[window] > periods.starts[window]


step = st.one_of(
    st.tuples(st.just("consume"), st.integers(0, 3)),
    st.tuples(st.just("restore"), st.integers(0, 20)),
    st.tuples(st.just("wait"), st.integers(1, 20)),
)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, min_size=4, max_size=25))
async def test_never_above_the_limit_and_restored_once(planned: Database, steps: list[tuple[str, int]]):
    user, now = ids.new(), datetime(2026, 10, 28, 6, tzinfo=UTC)
    counted: dict[date, int] = {}
    consumed: list[tuple[str, date, int]] = []
    for verb, number in steps:
        async with planned.transaction() as tx:
            day = now.astimezone(NEW_YORK).date()
            if verb == "wait":
                now += timedelta(hours=number)
            elif verb == "restore":
                if consumed:
                    reference, day, count = consumed.pop(number % len(consumed))
                    assert await quotas.restore(tx, reference)
                    assert not await quotas.restore(tx, reference)
                    counted[day] -= count
            else:
                reference = ids.new()
                (problem,) = await quotas.consume_many(
                    tx, [quotas.QuotaUse(reference, user, "text", number)], zone=NEW_YORK, at=now
                )
                fits = number == 0 or counted.get(day, 0) + number <= 5
                assert fits is (problem is None)
                if problem is None:
                    counted[day] = counted.get(day, 0) + number
                    consumed.append((reference, day, number))
            day = now.astimezone(NEW_YORK).date()
            shown = await quotas.usage(tx, user, zone=NEW_YORK, at=now)
            seen = {each.window: each.used for each in shown.windows if each.kind == "text"}
            month = sum(count for each, count in counted.items() if each.month == day.month)
            assert seen == {"day": counted.get(day, 0), "month": month}
            assert seen["day"] <= 5
