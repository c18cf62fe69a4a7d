"""What a browser brings back from Razorpay's form: a signed word, believed only after asking."""

import asyncio
import hmac
import json

import pytest
from tests.billing.conftest import available, buy, rows, usage
from tests.emulators.razorpay import RazorpayEmulator
from tests.helpers.server import Hortus
from tests.payments.razorpay.conftest import BONUS, PRO, SMALL, Post, of_checkout

VERIFY = "/api/payment/razorpay/verify"
TOPUP = "/api/payment/topup"


async def test_posted_twenty_times_beside_the_webhook_it_grants_once(
    hortus: Hortus, vendor: RazorpayEmulator, post: Post
):
    customer = await hortus.customer()
    for path, gains in ((TOPUP, SMALL), ("/api/payment/subscription", PRO)):
        checkout = await buy(customer, path, **({"pack": "small"} if path == TOPUP else {}))
        before = await available(customer)
        bought = of_checkout(vendor, checkout)["id"]
        payment = vendor.pay(bought, "card")
        fields = vendor.callback(payment, bought)
        events = post.news()
        answers = await asyncio.gather(
            *(customer.post(VERIFY, json=fields) for _ in range(20)),
            *(post.send(event) for event in events for _ in range(3)),
        )
        assert {answer.status_code for answer in answers} == {200}, [each.text for each in answers]
        assert {answer.json()["status"] for answer in answers[:20]} == {"paid"}
        assert {answer.json()["checkout_id"] for answer in answers[:20]} == {checkout["checkout_id"]}
        await post.handled()
        assert await available(customer) == before + gains
    assert (await usage(customer))["plan"] == "pro"
    assert len(await rows(hortus, "SELECT id FROM payments")) == 2


async def test_the_browser_alone_is_enough(hortus: Hortus, vendor: RazorpayEmulator):
    customer = await hortus.customer()
    checkout = await buy(customer, TOPUP, pack="small")
    bought = of_checkout(vendor, checkout)["id"]
    vendor.auto_capture = False
    fields = vendor.callback(vendor.pay(bought, "card"), bought)
    answer = await customer.post(VERIFY + "/", json=fields)
    assert (answer.status_code, answer.json()["status"]) == (200, "paid")
    assert await available(customer) == BONUS + SMALL


async def test_a_forged_word_opens_nothing_and_asks_nobody(hortus: Hortus, vendor: RazorpayEmulator):
    customer = await hortus.customer()
    checkout = await buy(customer, TOPUP, pack="small")
    bought = of_checkout(vendor, checkout)["id"]
    other = of_checkout(vendor, await buy(customer, TOPUP, pack="large"))["id"]
    payment = vendor.pay(bought, "card")
    good = vendor.callback(payment, bought)
    signed = f"{bought}|{payment['id']}".encode()
    asked = len(vendor.calls)
    for change in (
        {"razorpay_signature": good["razorpay_signature"][:-1]},
        {"razorpay_signature": "0" * 64},
        {"razorpay_signature": good["razorpay_signature"].upper()},
        {"razorpay_signature": "é" * 64},
        {"razorpay_signature": ""},
        {"razorpay_signature": hmac.new(b"", signed, "sha256").hexdigest()},
        {"razorpay_signature": hmac.new(vendor.webhook_secret.encode(), signed, "sha256").hexdigest()},
        {"razorpay_order_id": other},
        {"razorpay_payment_id": "pay_00000000000000"},
        {"razorpay_payment_id": "../orders"},
        {"razorpay_subscription_id": "sub_00000000000000"},
        {"razorpay_order_id": ""},
    ):
        answer = await customer.post(VERIFY, json={**good, **change})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature"), change
    for body in ({}, {"a": "b"}):
        assert (await customer.post(VERIFY, json=body)).json()["code"] == "bad_signature"
    for bad in (
        [], "x", 1, None, {"razorpay_signature": 1}, {"razorpay_signature": None}, {"Ä": "x"}, {"a": "x" * 401},
        {"a": "\x00"}, {f"a{number}": "x" for number in range(21)}, {"a": {"b": "c"}},
    ):  # fmt: skip
        sent = {"content": json.dumps(bad), "headers": {"Content-Type": "application/json"}}
        assert (await customer.post(VERIFY, **sent)).status_code == 422, bad
    assert len(vendor.calls) == asked
    assert await available(customer) == BONUS


async def test_only_the_owner_of_the_checkout_may_ask(hortus: Hortus, vendor: RazorpayEmulator):
    customer, thief = await hortus.customer(), await hortus.customer()
    checkout = await buy(customer, TOPUP, pack="small")
    bought = of_checkout(vendor, checkout)["id"]
    fields = vendor.callback(vendor.pay(bought, "card"), bought)
    asked = len(vendor.calls)
    refused = await thief.post(VERIFY, json=fields)
    assert (refused.status_code, refused.json()["code"]) == (404, "checkout_not_found")
    assert (await hortus.anonymous().post(VERIFY, json=fields)).status_code == 401
    assert len(vendor.calls) == asked
    assert await available(thief) == await available(customer) == BONUS
    # An order of the same account that this shop never made belongs to nobody here.
    foreign = vendor._order(99_00, "INR", None, {})["id"]
    stray = vendor.callback(vendor.pay(foreign), foreign)
    assert (await customer.post(VERIFY, json=stray)).status_code == 404


@pytest.mark.parametrize("tampered", [{"amount": 1_00}, {"currency": "USD"}])
async def test_another_amount_or_currency_grants_nothing(
    tampered: dict[str, object], hortus: Hortus, vendor: RazorpayEmulator
):
    customer = await hortus.customer()
    bought = of_checkout(vendor, await buy(customer, TOPUP, pack="small"))["id"]
    payment = vendor.pay(bought, "card", **tampered)
    answer = await customer.post(VERIFY, json=vendor.callback(payment, bought))
    assert answer.json()["status"] == "open"
    assert await available(customer) == BONUS
    assert [tuple(each) for each in await rows(hortus, "SELECT kind, credits FROM payments")] == [("unmatched", 0)]


async def test_an_order_of_another_amount_or_owner_grants_nothing(hortus: Hortus, vendor: RazorpayEmulator):
    """Somebody with the dashboard makes an order cheaper, or writes another's name on it."""
    customer, other = await hortus.customer(), await hortus.customer()
    order = of_checkout(vendor, await buy(customer, TOPUP, pack="large"))
    order["amount"] = 1_00
    answer = await customer.post(VERIFY, json=vendor.callback(vendor.pay(order["id"]), order["id"]))
    assert answer.json()["status"] == "open"
    mine = await buy(other, TOPUP, pack="small")
    order = of_checkout(vendor, await buy(customer, TOPUP, pack="small"))
    order["notes"] = {"reference": mine["checkout_id"]}
    await customer.post(VERIFY, json=vendor.callback(vendor.pay(order["id"]), order["id"]))
    assert await available(customer) == BONUS


@pytest.mark.parametrize("mode", ["500", "429", "hang", "garbage", "cut", "half_headers", "401"])
async def test_a_gateway_that_fails_is_said_so_and_nothing_is_lost(
    mode: str, hortus: Hortus, vendor: RazorpayEmulator, post: Post
):
    customer = await hortus.customer()
    bought = of_checkout(vendor, await buy(customer, TOPUP, pack="small"))["id"]
    fields = vendor.callback(vendor.pay(bought), bought)
    vendor.fail(mode)
    answer = await customer.post(VERIFY, json=fields)
    expected = (503, "payments_not_configured") if mode == "401" else (502, "gateway_failed")
    assert (answer.status_code, answer.json()["code"]) == expected
    assert "@" not in answer.text
    assert await available(customer) == BONUS
    vendor.heal()
    assert (await customer.post(VERIFY, json=fields)).json()["status"] == "paid"
    assert await available(customer) == BONUS + SMALL


async def test_money_for_an_order_that_was_closed_goes_back(hortus: Hortus, vendor: RazorpayEmulator, post: Post):
    customer = await hortus.customer()
    checkout = await buy(customer, TOPUP, pack="small")
    bought = of_checkout(vendor, checkout)["id"]
    cancelled = await customer.post(f"/api/payment/checkout/{checkout['checkout_id']}/cancel")
    assert cancelled.json()["status"] == "expired", cancelled.text
    payment = vendor.pay(bought, "upi")
    answer = await customer.post(VERIFY, json=vendor.callback(payment, bought))
    assert answer.json()["status"] == "expired"
    await post.all()
    assert payment["status"] == "refunded"
    assert len(vendor.of("rfnd", payment_id=payment["id"])) == 1
    assert await available(customer) == BONUS
