"""Mail about money: credit that runs low, once each time; a renewal that failed, once per try."""

import asyncio

import pytest
from tests.billing.conftest import buy, press, quiet, rows
from tests.billing.test_auto_topup import CREDIT, saved, spend, user_of
from tests.helpers.server import Hortus

from hortus import ledger
from hortus.billing.low_balance import emails
from hortus.core import ids

MAILS = "SELECT count(*) FROM tasks WHERE name = 'senders.mail'"


async def look(hortus: Hortus) -> int:
    """Sweep; how many mails that made."""
    before = (await rows(hortus, MAILS))[0][0]
    await emails.sweep_low_balances(hortus.resources, None)  # type: ignore[arg-type] # a sweep does not look at its task
    return int((await rows(hortus, MAILS))[0][0]) - before


async def test_a_customer_hears_once_that_credit_runs_low(hortus: Hortus):
    newcomer = await hortus.customer()
    customer = await saved(hortus)
    assert await look(hortus) == 0  # one has enough; the other never had
    await spend(hortus, customer, 90 * CREDIT)
    assert await look(hortus) == 1
    assert await look(hortus) == 0
    async with hortus.database.transaction() as tx:
        await ledger.grant(tx, user_of(customer), 50 * CREDIT, reference=ids.new(), reason="More")
        await ledger.grant(tx, user_of(newcomer), 1 * CREDIT, reference=ids.new(), reason="A little")
    assert await look(hortus) == 0
    await spend(hortus, customer, 60 * CREDIT)
    assert await look(hortus) == 1
    assert await rows(hortus, "SELECT count(*) FROM low_balance_alerts") == [(0,)]


async def test_nobody_is_written_to_where_it_is_off(hortus: Hortus, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOW_BALANCE_CREDITS", "0")
    hortus.reread()
    customer = await saved(hortus)
    await spend(hortus, customer, 100 * CREDIT)
    assert await look(hortus) == 0


async def told(hortus: Hortus, times: int) -> None:
    """Wait until so many failed payments were looked at and every mail went out."""
    waiting = "SELECT count(*) FROM tasks WHERE name = 'senders.mail' AND status IN ('queued', 'running')"
    looked = "SELECT count(*) FROM tasks WHERE name = 'billing.dunning' AND status = 'done'"
    async with asyncio.timeout(20):
        while await rows(hortus, looked) != [(times,)] or await rows(hortus, waiting) != [(0,)]:
            await asyncio.sleep(0.05)


async def test_a_renewal_that_fails_is_told_and_a_declined_checkout_is_not(
    hortus: Hortus, capsys: pytest.CaptureFixture[str]
):
    customer = await hortus.customer()
    order = await buy(customer, currency="INR")
    await press(customer, order, "decline")
    await quiet(hortus)
    await told(hortus, 1)
    assert "did not go through" not in capsys.readouterr().out
    await press(customer, order, "pay")
    await quiet(hortus)
    await press(customer, order, "fail-renewal")
    await quiet(hortus)
    await told(hortus, 2)
    said = capsys.readouterr().out
    assert said.count("Your payment of INR 500.00 did not go through.") == 1
    assert "/billing" in said
