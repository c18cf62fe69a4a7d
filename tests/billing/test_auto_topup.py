"""Credit that buys itself: once at a time, within its cap, and never again after the card said no."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from tests.billing.conftest import available, buy, press, quiet, rows
from tests.helpers.query_plans import query_plan
from tests.helpers.server import Hortus

from hortus import ledger
from hortus.billing.checkout import off_session
from hortus.core import ids

CREDIT = 1_000_000
PATH = "/api/payment/auto-topup"
BODY = {"pack": "small", "below": str(50 * CREDIT), "monthly_cap_minor": 300_00, "currency": "INR"}


def user_of(client: httpx2.AsyncClient) -> str:
    return str(client.tokens["user"]["id"])  # type: ignore[attr-defined]


async def spend(hortus: Hortus, client: httpx2.AsyncClient, micro: int) -> None:
    reference = ids.new()
    async with hortus.database.transaction() as tx:
        await ledger.reserve(tx, user_of(client), micro, reference=reference, lasts=timedelta(minutes=5))
        await ledger.settle(tx, reference)


async def saved(hortus: Hortus) -> httpx2.AsyncClient:
    """A customer who has paid once and so can be charged again: 105 credits."""
    customer = await hortus.customer()
    await press(customer, await buy(customer, "/api/payment/topup", pack="small", currency="INR"), "pay")
    await quiet(hortus)
    return customer


async def look(hortus: Hortus) -> None:
    """What the clock does every few seconds, and wait for what comes of it."""
    await off_session.sweep_auto_topups(hortus.resources, None)  # type: ignore[arg-type] # a sweep does not look at its task
    await done(hortus)


async def done(hortus: Hortus) -> None:
    waiting = text("SELECT count(*) FROM tasks WHERE name = 'billing.auto_topup' AND status IN ('queued', 'running')")
    async with asyncio.timeout(30):
        while True:
            async with hortus.database.snapshot() as tx:
                if (await tx.execute(waiting)).scalar_one() == 0:
                    break
            await asyncio.sleep(0.05)
    await quiet(hortus)


async def set_up(client: httpx2.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await client.put(PATH, json={**BODY, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_it_needs_somebody_who_has_paid_and_a_cap_that_pays_for_a_pack(hortus: Hortus):
    customer = await hortus.customer()
    assert (await customer.get(PATH)).json()["enabled"] is False
    assert (await customer.put(PATH, json=BODY)).json()["code"] == "nothing_saved"
    customer = await saved(hortus)
    assert (await customer.put(PATH, json={**BODY, "monthly_cap_minor": 98_00})).status_code == 422
    assert (await customer.put(PATH, json={**BODY, "pack": "none"})).json()["code"] == "not_for_sale"
    assert (await set_up(customer))["enabled"] is True
    assert (await customer.delete(PATH)).status_code == 204
    assert (await customer.get(PATH)).json()["enabled"] is False
    await spend(hortus, customer, 100 * CREDIT)
    await look(hortus)
    assert await available(customer) == 5 * CREDIT


async def test_it_buys_once_when_credit_falls_below(hortus: Hortus):
    customer = await saved(hortus)
    await set_up(customer)
    await look(hortus)
    assert await available(customer) == 105 * CREDIT
    await spend(hortus, customer, 60 * CREDIT)
    await asyncio.gather(*(look(hortus) for _ in range(8)))
    assert await available(customer) == 145 * CREDIT
    assert await rows(hortus, "SELECT status FROM checkouts WHERE kind = 'auto_topup'") == [("paid",)]
    assert await rows(hortus, "SELECT kind, amount_minor FROM payments ORDER BY id") == [
        ("topup", 99_00),
        ("auto_topup", 99_00),
    ]
    now = (await customer.get(PATH)).json()
    assert (now["spent_minor"], now["on_its_way"]) == (99_00, False)


async def test_the_monthly_cap_and_the_hourly_stop_hold(hortus: Hortus, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AUTO_TOPUP_PER_HOUR", "2")
    hortus.reread()
    customer = await saved(hortus)
    await set_up(customer, below=str(10_000 * CREDIT), monthly_cap_minor=100_000_00)
    for _ in range(4):
        await look(hortus)
    assert await available(customer) == 305 * CREDIT  # two in this hour
    monkeypatch.setenv("AUTO_TOPUP_PER_HOUR", "50")
    hortus.reread()
    await set_up(customer, below=str(10_000 * CREDIT), monthly_cap_minor=400_00)
    for _ in range(4):
        await look(hortus)
    assert await available(customer) == 505 * CREDIT  # four times 99 rupees of 400
    assert (await customer.get(PATH)).json()["spent_minor"] == 396_00


async def test_after_cards_that_say_no_it_waits_and_then_turns_itself_off(
    hortus: Hortus, monkeypatch: pytest.MonkeyPatch
):
    customer = await saved(hortus)
    await set_up(customer)
    await spend(hortus, customer, 100 * CREDIT)
    monkeypatch.setenv("SANDBOX_DECLINES", "true")
    monkeypatch.setenv("AUTO_TOPUP_PER_HOUR", "50")
    hortus.reread()
    await look(hortus)
    now = (await customer.get(PATH)).json()
    assert (now["failures"], now["enabled"], now["spent_minor"]) == (1, True, 0)
    await look(hortus)
    assert (await customer.get(PATH)).json()["failures"] == 1  # it waits
    for _ in range(2):
        async with hortus.database.transaction() as tx:
            await tx.execute(text("UPDATE auto_topups SET next_at = updated_at"))
        await look(hortus)
    now = (await customer.get(PATH)).json()
    assert (now["enabled"], now["stopped"], now["spent_minor"]) == (False, "declined", 0)
    assert await rows(hortus, "SELECT count(*) FROM tasks WHERE name = 'senders.mail'") >= [(1,)]
    assert await rows(hortus, "SELECT count(*) FROM checkouts WHERE kind = 'auto_topup' AND status = 'expired'") == [
        (3,)
    ]
    monkeypatch.setenv("SANDBOX_DECLINES", "false")
    hortus.reread()
    await look(hortus)
    assert await available(customer) == 5 * CREDIT
    assert (await set_up(customer))["stopped"] is None
    await look(hortus)
    assert await available(customer) == 105 * CREDIT


async def test_a_crash_after_the_order_or_the_charge_charges_once(hortus: Hortus):
    customer = await saved(hortus)
    await set_up(customer)
    await spend(hortus, customer, 100 * CREDIT)
    row_of = text("SELECT checkout_id FROM auto_topups")
    async with hortus.database.snapshot() as tx:
        row = await off_session.service.find(tx, user_of(customer))
    assert row is not None
    gateway = hortus.resources[off_session.Gateways].get("sandbox")
    assert gateway is not None
    # Two that read the same row: one order is written down, the other finds no room and leaves none.
    made = await asyncio.gather(*(off_session._order(hortus.resources, gateway, row) for _ in range(6)))
    assert len([order for order in made if order]) == 1
    assert await rows(hortus, "SELECT count(*) FROM checkouts WHERE kind = 'auto_topup'") == [(1,)]
    # Died before the charge: the next look goes on with that order. Died after it: charging again is no charge.
    async with hortus.database.snapshot() as tx:
        checkout_id = (await tx.execute(row_of)).scalar_one()
    await asyncio.gather(*(off_session._charge(hortus.resources, gateway, checkout_id) for _ in range(5)))
    await look(hortus)
    assert await available(customer) == 105 * CREDIT
    assert await rows(hortus, "SELECT count(*) FROM payments WHERE kind = 'auto_topup'") == [(1,)]
    assert await rows(hortus, "SELECT checkout_id, spent_minor FROM auto_topups") == [(None, 99_00)]


async def test_the_sweep_reads_only_those_who_want_it(hortus: Hortus):
    async with hortus.database.transaction() as tx:
        query = "SELECT user_id FROM auto_topups WHERE (enabled OR checkout_id IS NOT NULL) AND user_id > 'a'"
        said = await query_plan(tx, f"{query} ORDER BY user_id LIMIT 500", without=("seqscan",))
    assert re.search(r"ix_auto_topups_watched|pk_auto_topups|sqlite_autoindex_auto_topups", said), said
