"""Mail about money: credit that runs low, once each time; a renewal that failed, once per try."""

import asyncio

import pytest
from tests.billing.conftest import buy, press, quiet, rows
from tests.billing.test_auto_topup import CREDIT, saved, spend, user_of
from tests.serving import Hortus

from hortus import ledger
from hortus.billing.low_balance import emails
from hortus.core import ids

MAILS = "SELECT count(*) FROM tasks WHERE name = 'senders.mail'"


async def look(shop: Hortus) -> int:
    """Sweep; how many mails that made."""
    before = (await rows(shop, MAILS))[0][0]
    await emails.sweep(shop.resources, None)  # type: ignore[arg-type] # a sweep does not look at its task
    return int((await rows(shop, MAILS))[0][0]) - before


async def test_a_customer_hears_once_that_credit_runs_low(shop: Hortus):
    newcomer = await shop.customer()
    customer = await saved(shop)
    assert await look(shop) == 0  # one has enough; the other never had
    await spend(shop, customer, 90 * CREDIT)
    assert await look(shop) == 1
    assert await look(shop) == 0
    async with shop.database.transaction() as tx:
        await ledger.grant(tx, user_of(customer), 50 * CREDIT, reference=ids.new(), reason="More")
        await ledger.grant(tx, user_of(newcomer), 1 * CREDIT, reference=ids.new(), reason="A little")
    assert await look(shop) == 0
    await spend(shop, customer, 60 * CREDIT)
    assert await look(shop) == 1
    assert await rows(shop, "SELECT count(*) FROM low_balance_alerts") == [(0,)]


async def test_nobody_is_written_to_where_it_is_off(shop: Hortus, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOW_BALANCE_CREDITS", "0")
    shop.reread()
    customer = await saved(shop)
    await spend(shop, customer, 100 * CREDIT)
    assert await look(shop) == 0


async def told(shop: Hortus, times: int) -> None:
    """Wait until so many failed payments were looked at and every mail went out."""
    waiting = "SELECT count(*) FROM tasks WHERE name = 'senders.mail' AND status IN ('queued', 'running')"
    looked = "SELECT count(*) FROM tasks WHERE name = 'billing.dunning' AND status = 'done'"
    async with asyncio.timeout(20):
        while await rows(shop, looked) != [(times,)] or await rows(shop, waiting) != [(0,)]:
            await asyncio.sleep(0.05)


async def test_a_renewal_that_fails_is_told_and_a_declined_checkout_is_not(
    shop: Hortus, capsys: pytest.CaptureFixture[str]
):
    customer = await shop.customer()
    order = await buy(customer, currency="INR")
    await press(customer, order, "decline")
    await quiet(shop)
    await told(shop, 1)
    assert "did not go through" not in capsys.readouterr().out
    await press(customer, order, "pay")
    await quiet(shop)
    await press(customer, order, "fail-renewal")
    await quiet(shop)
    await told(shop, 2)
    said = capsys.readouterr().out
    assert said.count("Your payment of INR 500.00 did not go through.") == 1
    assert "/billing" in said
