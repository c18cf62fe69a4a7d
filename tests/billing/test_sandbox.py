"""The whole life of a customer's money, on a running server with the sandbox gateway."""

import asyncio
from datetime import timedelta

from tests.billing.conftest import available, buy, press, quiet, rows, usage
from tests.helpers.server import Hortus

from hortus import ledger

CREDIT = 1_000_000
BONUS = 5 * CREDIT
PRO = 2000 * CREDIT


async def test_a_customer_buys_pro_renews_is_refunded_and_charged_back(hortus: Hortus):
    customer = await hortus.customer()
    order = await buy(customer, plan="pro", currency="INR")
    assert order["gateway"] == "sandbox"
    assert (order["amount_minor"], order["currency"], order["status"]) == (500_00, "INR", "open")
    page = await customer.get(order["checkout_url"])
    assert page.status_code == 200
    assert "INR 500.00" in page.text
    back = await press(customer, order, "pay")
    assert back.headers["location"].endswith(f"checkout={order['checkout_id']}")
    await quiet(hortus)

    now = await usage(customer)
    assert now["plan"] == "pro"
    assert await available(customer) == BONUS + PRO
    assert (await customer.get(f"/api/payment/checkout/{order['checkout_id']}")).json()["status"] == "paid"
    details = (await customer.get("/api/subscription/status")).json()
    assert details["subscription"]["status"] == "active"
    assert (await customer.get("/subscription/status")).json() == details

    await press(customer, order, "renew")
    await quiet(hortus)
    assert await available(customer) == BONUS + 2 * PRO
    history = (await customer.get("/api/payment/history")).json()["items"]
    assert [paid["amount_minor"] for paid in history] == [500_00, 500_00]

    await press(customer, order, "refund")
    await quiet(hortus)
    assert await available(customer) == BONUS + PRO
    assert (await customer.get("/api/payment/history")).json()["items"][0]["status"] == "refunded"

    await press(customer, order, "renew")
    await quiet(hortus)
    await press(customer, order, "chargeback")
    await quiet(hortus)
    assert await available(customer) == BONUS + PRO
    await press(customer, order, "win-dispute")
    await quiet(hortus)
    assert await available(customer) == BONUS + 2 * PRO

    await press(customer, order, "end")
    await quiet(hortus)
    assert (await usage(customer))["plan"] == "basic"
    assert await available(customer) == BONUS


async def test_a_pack_gives_its_credit_once(hortus: Hortus):
    customer = await hortus.customer()
    order = await buy(customer, "/api/payment/topup", pack="small", currency="USD")
    await press(customer, order, "decline")
    await quiet(hortus)
    assert await available(customer) == BONUS
    await asyncio.gather(*(press(customer, order, "pay") for _ in range(10)))
    await quiet(hortus)
    assert await available(customer) == BONUS + 100 * CREDIT
    assert await rows(hortus, "SELECT kind FROM payments") == [("topup",)]


async def test_a_lost_dispute_may_leave_a_debt_and_a_won_one_pays_it(hortus: Hortus):
    customer = await hortus.customer()
    order = await buy(customer, "/api/payment/topup", pack="small")
    await press(customer, order, "pay")
    await quiet(hortus)
    user_id = customer.tokens["user"]["id"]  # type: ignore[attr-defined]
    async with hortus.database.transaction() as tx:
        await ledger.reserve(tx, user_id, 104 * CREDIT, reference="work", lasts=timedelta(minutes=5))
        await ledger.settle(tx, "work", 104 * CREDIT)
    await press(customer, order, "chargeback")
    await quiet(hortus)
    assert await available(customer) == -99 * CREDIT
    await press(customer, order, "lose-dispute")
    await quiet(hortus)
    assert await available(customer) == -99 * CREDIT
    assert (await rows(hortus, "SELECT status FROM disputes")) == [("lost",)]


async def test_an_order_is_opened_once_per_key(hortus: Hortus):
    customer = await hortus.customer()
    key = {"Idempotency-Key": "one"}
    answers = await asyncio.gather(
        *(customer.post("/api/payment/topup", json={"pack": "small"}, headers=key) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["checkout_id"] for answer in answers}) == 1
    assert len({answer.json()["checkout_url"] for answer in answers}) == 1
    assert len(await rows(hortus, "SELECT id FROM checkouts")) == 1


async def test_two_subscriptions_of_one_customer_leave_one_and_the_other_is_given_back(hortus: Hortus):
    customer = await hortus.customer()
    one, two = await buy(customer), await buy(customer, plan="pro", interval="year")
    await asyncio.gather(press(customer, one, "pay"), press(customer, two, "pay"))
    await quiet(hortus)
    kept = await rows(hortus, "SELECT status, ended_at IS NULL FROM subscriptions ORDER BY status")
    assert [row[0] for row in kept] == ["active", "duplicate"]
    assert [bool(row[1]) for row in kept] == [True, False]
    paid = await rows(hortus, "SELECT amount_minor, refunded_minor, credits FROM payments WHERE kind = 'unmatched'")
    assert [row[0] == row[1] and row[2] == 0 for row in paid] == [True]
    assert (await customer.post("/api/payment/subscription")).json()["code"] == "already_subscribed"


async def test_a_renewal_that_fails_leaves_the_plan_for_the_days_of_grace(hortus: Hortus):
    customer = await hortus.customer()
    order = await buy(customer)
    await press(customer, order, "pay")
    await quiet(hortus)
    await press(customer, order, "fail-renewal")
    await quiet(hortus)
    details = (await customer.get("/api/payment/subscription/details")).json()
    assert details["subscription"]["status"] == "past_due"
    assert details["plan"]["name"] == "pro"
    assert details["until"] > details["subscription"]["paid_until"]
    assert len(await rows(hortus, "SELECT id FROM failed_payments")) == 1
    await press(customer, order, "renew")
    await quiet(hortus)
    assert (await customer.get("/api/payment/subscription/details")).json()["subscription"]["status"] == "active"


async def test_a_change_is_shown_first_and_then_costs_what_was_shown(hortus: Hortus):
    customer = await hortus.customer()
    order = await buy(customer, currency="INR")
    await press(customer, order, "pay")
    await quiet(hortus)
    path = "/api/payment/subscription/update"
    shown = (await customer.put(path, json={"plan": "pro", "interval": "year"})).json()
    assert (shown["applied"], shown["takes_effect"]) == (False, "now")
    assert 4_490_00 <= shown["due_minor"] <= 4_510_00
    done = (await customer.put(path, json={"plan": "pro", "interval": "year", "confirm": True})).json()
    assert done["applied"] is True
    await quiet(hortus)
    details = (await customer.get("/api/payment/subscription/details")).json()
    assert details["subscription"]["interval"] == "year"
    assert 13 * PRO > await available(customer) > 11.9 * PRO
    paid = await rows(hortus, "SELECT kind, amount_minor FROM payments ORDER BY id")
    assert [row[0] for row in paid] == ["subscription", "change"]
    assert abs(paid[1][1] - shown["due_minor"]) < 100


async def test_cancel_at_the_end_of_the_period_and_resume(hortus: Hortus):
    customer = await hortus.customer()
    assert (await customer.post("/api/payment/subscription/cancel")).json()["code"] == "no_subscription"
    order = await buy(customer)
    await press(customer, order, "pay")
    await quiet(hortus)
    ends = (await customer.post("/api/payment/subscription/cancel")).json()
    assert ends["subscription"]["cancels_at_period_end"] is True
    assert ends["until"] == ends["subscription"]["paid_until"]
    goes_on = (await customer.post("/api/payment/subscription/resume")).json()
    assert goes_on["subscription"]["cancels_at_period_end"] is False
    gone = (await customer.post("/api/payment/subscription/cancel", json={"at": "now"})).json()
    assert (gone["subscription"], gone["plan"]["name"]) == (None, "basic")
    assert await available(customer) == BONUS
