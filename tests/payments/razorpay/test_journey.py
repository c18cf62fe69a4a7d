"""The whole life of a customer's money at Razorpay, on a running server."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from tests.billing.conftest import available, buy, rows, usage
from tests.emulators.razorpay import RazorpayEmulator
from tests.helpers.server import Hortus
from tests.payments.razorpay.conftest import BONUS, PRO, SMALL, Post, of_checkout

DETAILS = "/api/payment/subscription/details"
CANCEL = "/api/payment/subscription/cancel"
UPDATE = "/api/payment/subscription/update"


async def test_a_customer_meets_the_wall_buys_pro_renews_is_refunded_and_charged_back(
    hortus: Hortus, vendor: RazorpayEmulator, post: Post
):
    customer = await hortus.customer()
    for _ in range(5):
        assert (await customer.post("/api/text/generate", json={"prompt": "A line"})).status_code == 200
    wall = await customer.post("/api/text/generate", json={"prompt": "A line"})
    assert (wall.status_code, wall.json()["code"]) == (429, "quota_exceeded")
    free = before = await available(customer)

    order = await buy(customer, plan="pro")
    subscription = of_checkout(vendor, order)
    assert (order["gateway"], order["amount_minor"], order["currency"]) == ("razorpay", 500_00, "INR")
    assert order["checkout_url"] == subscription["short_url"]
    assert order["order"] == {
        "key_id": vendor.key_id,
        "subscription_id": subscription["id"],
        "amount": 500_00,
        "currency": "INR",
        "name": "Hortus",
        "description": "Pro, monthly",
        "prefill": {"email": customer.tokens["user"]["email"]},  # type: ignore[attr-defined]
    }
    vendor.pay(subscription["id"], "upi")
    await post.all()
    assert (await usage(customer))["plan"] == "pro"
    assert await available(customer) == before + PRO
    assert (await customer.post("/api/text/generate", json={"prompt": "A line"})).status_code == 200
    before = await available(customer) - PRO  # the plan's credit goes first
    paid = (await customer.get(f"/api/payment/checkout/{order['checkout_id']}")).json()
    assert (paid["status"], paid["order"], paid["checkout_url"]) == ("paid", None, None)
    assert await rows(hortus, 'SELECT id FROM checkouts WHERE "order" IS NOT NULL') == []

    renewal = vendor.next_charge(subscription["id"])
    await post.all()
    assert await available(customer) == before + 2 * PRO
    details = (await customer.get(DETAILS)).json()["subscription"]
    ends = datetime.fromtimestamp(subscription["current_end"], UTC).isoformat().replace("+00:00", "Z")
    assert (details["status"], details["paid_until"]) == ("active", ends)
    history = (await customer.get("/api/payment/history")).json()["items"]
    assert [(each["amount_minor"], each["method"]) for each in history] == [(500_00, "card"), (500_00, "upi")]

    vendor.refund(renewal["id"], 200_00)
    await post.all()
    assert await available(customer) == before + 2 * PRO - PRO * 2 // 5
    vendor.refund(renewal["id"])
    await post.all()
    assert await available(customer) == before + PRO

    last = vendor.next_charge(subscription["id"])
    dispute = vendor.dispute(last["id"])
    await post.all()
    assert await available(customer) == before + PRO
    vendor.decide(dispute["id"], "won")
    await post.all()
    assert await available(customer) == before + 2 * PRO

    vendor.end(subscription["id"])
    await post.all()
    assert (await usage(customer))["plan"] == "basic"
    assert await available(customer) == free


@pytest.mark.parametrize("method", ["upi", "card", "netbanking", "wallet"])
async def test_a_pack_is_paid_in_every_way_and_the_way_is_shown(
    method: str, hortus: Hortus, vendor: RazorpayEmulator, post: Post
):
    customer = await hortus.customer()
    order = await buy(customer, "/api/payment/topup", pack="small")
    made = of_checkout(vendor, order)
    assert (made["amount"], made["currency"], made["receipt"]) == (99_00, "INR", order["checkout_id"])
    assert order["checkout_url"] is None
    vendor.fail_payment(made["id"], method)
    await post.all()
    assert await available(customer) == BONUS
    assert [tuple(each) for each in await rows(hortus, "SELECT reason FROM failed_payments")] == [("payment_failed",)]
    vendor.pay(made["id"], method)
    await post.all()
    assert await available(customer) == BONUS + SMALL
    assert (await customer.get("/api/payment/history")).json()["items"][0]["method"] == method


async def test_what_a_bank_authorises_late_is_taken_once(hortus: Hortus, vendor: RazorpayEmulator, post: Post):
    customer = await hortus.customer()
    order = of_checkout(vendor, await buy(customer, "/api/payment/topup", pack="small"))
    payment = vendor.authorise(order["id"], "netbanking")
    event = post.news()[0]
    answers = await asyncio.gather(*(post.send(event) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    await post.handled()
    assert (payment["status"], order["status"]) == ("captured", "paid")
    await post.all()
    assert await available(customer) == BONUS + SMALL


async def test_a_second_payment_of_one_order_grants_nothing(hortus: Hortus, vendor: RazorpayEmulator, post: Post):
    customer = await hortus.customer()
    order = of_checkout(vendor, await buy(customer, "/api/payment/topup", pack="small"))
    vendor.pay(order["id"])
    vendor.pay(order["id"])
    await post.all()
    assert await available(customer) == BONUS + SMALL
    kinds = await rows(hortus, "SELECT kind FROM payments ORDER BY kind")
    assert [kind for (kind,) in kinds] == ["topup", "unmatched"]


async def test_a_lost_dispute_keeps_the_credit_and_a_question_takes_none(
    hortus: Hortus, vendor: RazorpayEmulator, post: Post
):
    customer = await hortus.customer()
    payment = vendor.pay(of_checkout(vendor, await buy(customer, "/api/payment/topup", pack="small"))["id"])
    vendor.dispute(payment["id"], phase="retrieval")
    await post.all()
    assert await available(customer) == BONUS + SMALL
    dispute = vendor.dispute(payment["id"])
    await post.all()
    assert await available(customer) == BONUS
    vendor.decide(dispute["id"], "lost")
    await post.all()
    assert await available(customer) == BONUS


async def test_a_renewal_that_fails_is_late_then_halted_and_comes_back(
    hortus: Hortus, vendor: RazorpayEmulator, post: Post
):
    customer = await hortus.customer()
    subscription = of_checkout(vendor, await buy(customer))
    vendor.pay(subscription["id"])
    await post.all()
    for tries in range(1, 5):
        vendor.fail_renewal(subscription["id"])
        await post.all()
        details = (await customer.get(DETAILS)).json()
        assert (details["subscription"]["status"], details["plan"]["name"]) == ("past_due", "pro")
        assert details["until"] > details["subscription"]["paid_until"]
        failed = await rows(hortus, "SELECT retry_at FROM failed_payments ORDER BY failed_at, external_id")
        assert len(failed) == tries
    assert subscription["status"] == "halted"
    assert await available(customer) == BONUS + PRO
    vendor.next_charge(subscription["id"])  # the buyer gave another card
    await post.all()
    assert (await customer.get(DETAILS)).json()["subscription"]["status"] == "active"
    assert await available(customer) == BONUS + 2 * PRO
    # What is late can be ended, and ends at once.
    vendor.fail_renewal(subscription["id"])
    await post.all()
    assert (await customer.post(CANCEL)).json()["subscription"] is None
    assert subscription["status"] == "cancelled"


async def test_it_ends_with_its_period_though_razorpay_never_says_so(
    hortus: Hortus, vendor: RazorpayEmulator, post: Post
):
    customer = await hortus.customer()
    subscription = of_checkout(vendor, await buy(customer))
    vendor.pay(subscription["id"])
    await post.all()
    for _ in range(2):
        ends = (await customer.post(CANCEL)).json()
        assert ends["subscription"]["cancels_at_period_end"] is True
        assert ends["until"] == ends["subscription"]["paid_until"]
    assert subscription["status"] == "active"
    await post.send(vendor.event("subscription.charged", subscription=subscription))
    await post.handled()
    assert (await customer.get(DETAILS)).json()["subscription"]["cancels_at_period_end"] is True
    refused = await customer.post("/api/payment/subscription/resume")
    assert (refused.status_code, refused.json()["code"]) == (409, "cannot_change")
    assert vendor.next_charge(subscription["id"]) is None
    await post.all()
    assert (await usage(customer))["plan"] == "basic"
    assert await available(customer) == BONUS


async def test_a_change_is_shown_first_and_then_costs_what_was_shown(
    hortus: Hortus, vendor: RazorpayEmulator, post: Post
):
    customer = await hortus.customer()
    subscription = of_checkout(vendor, await buy(customer))
    vendor.pay(subscription["id"])
    await post.all()
    body = {"plan": "pro", "interval": "year"}
    shown = (await customer.put(UPDATE, json=body)).json()
    assert (shown["applied"], shown["takes_effect"]) == (False, "now")
    assert 4_490_00 <= shown["due_minor"] <= 4_510_00
    vendor.decline(subscription["id"])
    declined = await customer.put(UPDATE, json={**body, "confirm": True})
    assert (declined.status_code, declined.json()["code"]) == (402, "payment_declined")
    vendor._declining.clear()
    for _ in range(2):
        assert (await customer.put(UPDATE, json={**body, "confirm": True})).json()["applied"] is True
    await post.all()
    assert (await customer.get(DETAILS)).json()["subscription"]["interval"] == "year"
    paid = await rows(hortus, "SELECT kind, amount_minor FROM payments ORDER BY amount_minor")
    assert [kind for kind, _ in paid] == ["subscription", "change"]
    assert abs(paid[1][1] - shown["due_minor"]) < 100
    assert 13 * PRO > await available(customer) > 11 * PRO
    # Back to the month: from the next period on.
    back = {"plan": "pro", "interval": "month", "confirm": True}
    assert (await customer.put(UPDATE, json=back)).json()["takes_effect"] == "next_period"
    vendor.next_charge(subscription["id"])
    await post.all()
    assert (await customer.get(DETAILS)).json()["subscription"]["interval"] == "month"
    last = await rows(hortus, "SELECT kind, amount_minor, credits FROM payments ORDER BY period_end DESC LIMIT 1")
    assert tuple(last[0]) == ("subscription", 500_00, PRO)


async def test_days_without_cost_come_first(hortus: Hortus, vendor: RazorpayEmulator, post: Post):
    async with hortus.database.transaction() as tx:
        await tx.execute(text("UPDATE plans SET trial_days = 7 WHERE name = 'pro'"))
    customer = await hortus.customer()
    order = await buy(customer)
    assert order["trial_days"] == 7
    subscription = of_checkout(vendor, order)
    vendor.pay(subscription["id"], "upi")
    await post.all()
    details = (await customer.get(DETAILS)).json()
    assert (details["plan"]["name"], details["subscription"]["status"]) == ("pro", "trialing")
    assert await available(customer) == BONUS
    assert await rows(hortus, "SELECT id FROM payments") == []
    vendor.next_charge(subscription["id"])
    await post.all()
    assert (await customer.get(DETAILS)).json()["subscription"]["status"] == "active"
    assert await available(customer) == BONUS + PRO


async def test_two_subscriptions_of_one_customer_leave_one_and_the_other_is_given_back(
    hortus: Hortus, vendor: RazorpayEmulator, post: Post
):
    customer = await hortus.customer()
    one, two = [of_checkout(vendor, await buy(customer, interval=each)) for each in ("month", "year")]
    vendor.pay(one["id"])
    vendor.pay(two["id"])
    await post.all()
    assert sorted((one["status"], two["status"])) == ["active", "cancelled"]
    undone = one if one["status"] == "cancelled" else two
    (invoice,) = vendor.of("inv", subscription_id=undone["id"])
    assert vendor.get(invoice["payment_id"])["status"] == "refunded"
    assert await available(customer) in (BONUS + PRO, BONUS + 12 * PRO)


async def test_two_first_buyers_at_once_buy_at_the_price_that_was_kept(
    hortus: Hortus, vendor: RazorpayEmulator, post: Post
):
    vendor.delay = 0.2  # both find no price and make one
    customers = [await hortus.customer() for _ in range(2)]
    orders = await asyncio.gather(*(buy(customer, plan="pro") for customer in customers))
    vendor.delay = 0
    subscriptions = [of_checkout(vendor, order) for order in orders]
    kept = await rows(hortus, "SELECT external_id FROM gateway_prices")
    assert [(each["plan_id"],) for each in subscriptions] == kept * 2
    for customer, subscription in zip(customers, subscriptions, strict=True):
        vendor.pay(subscription["id"])
        await post.all()
        assert (await usage(customer))["plan"] == "pro"
