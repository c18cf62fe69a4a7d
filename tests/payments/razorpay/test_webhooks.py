"""Razorpay's news: late, twice, forged, in any order, or never."""

import asyncio
import hmac
import itertools
import random
import time

import pytest
from tests.billing.conftest import available, buy, rows, usage
from tests.emulators.razorpay import Event, RazorpayEmulator
from tests.helpers.server import Hortus
from tests.payments.razorpay.conftest import BONUS, PRO, SMALL, Post, of_checkout

from hortus.billing.webhooks.inbox import reconcile

HOOK = "/api/webhook/razorpay"
SIGNATURE = "X-Razorpay-Signature"


async def test_copies_of_every_event_in_many_orders_have_one_effect(
    hortus: Hortus, vendor: RazorpayEmulator, post: Post, full: bool
):
    """Twenty copies in the order of sending and in its reverse, three in each of two shuffled orders."""
    shuffle = random.Random(7)
    for number in range(20 if full else 4):
        customer = await hortus.customer()
        subscription = of_checkout(vendor, await buy(customer))
        vendor.pay(subscription["id"])
        renewal = vendor.next_charge(subscription["id"])
        vendor.refund(renewal["id"])
        vendor.decide(vendor.dispute(vendor.next_charge(subscription["id"])["id"])["id"], "lost")
        events = post.news()
        copies = 50 if full else 20 if number < 2 else 3
        if number == 1:
            events.reverse()
        elif number > 1:
            shuffle.shuffle(events)
        for event in events:
            answers = await asyncio.gather(*(post.send(event) for _ in range(copies)))
            assert {answer.status_code for answer in answers} == {200}
        await post.handled()
        assert await available(customer) == BONUS + PRO
        assert (await usage(customer))["plan"] == "pro"
        history = (await customer.get("/api/payment/history")).json()["items"]
        assert [each["status"] for each in history] == ["disputed", "refunded", "paid"]
    assert len(await rows(hortus, "SELECT id FROM webhook_events")) == len(vendor.events)


async def test_every_order_of_the_events_of_a_pack_comes_to_the_same(
    hortus: Hortus, vendor: RazorpayEmulator, post: Post
):
    customer = await hortus.customer()
    for turn in itertools.permutations(range(3)):
        before = await available(customer)
        order = of_checkout(vendor, await buy(customer, "/api/payment/topup", pack="small"))
        vendor.pay(order["id"])
        events = post.news()
        assert [each.kind for each in events] == ["payment.authorized", "payment.captured", "order.paid"]
        for index in turn:
            assert (await post.send(events[index])).status_code == 200
        await post.handled()
        assert await available(customer) == before + SMALL


async def test_forged_news_is_refused(hortus: Hortus, vendor: RazorpayEmulator, post: Post):
    customer, client = await hortus.customer(), hortus.anonymous()
    order = of_checkout(vendor, await buy(customer, "/api/payment/topup", pack="small"))
    vendor.pay(order["id"])
    event = post.news()[-1]
    good = vendor.headers(event)[SIGNATURE]
    for signature in (
        "", "0", "0" * 64, good[:-1], f"{good}0", good.upper(), f"sha256={good}", "é" * 64, "²" * 64, "0" * 8000,
        hmac.new(b"", event.body, "sha256").hexdigest(), hmac.new(b"other", event.body, "sha256").hexdigest(),
        hmac.new(vendor.key_secret.encode(), event.body, "sha256").hexdigest(),
    ):  # fmt: skip
        sent = [(SIGNATURE.encode(), signature.encode()), (b"X-Razorpay-Event-Id", event.id.encode())]
        answer = await client.post(HOOK, content=event.body, headers=sent)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature"), signature[:40]
    assert (await client.post(HOOK, content=event.body)).status_code == 400
    assert (await client.post(HOOK, content=event.body + b" ", headers=vendor.headers(event))).status_code == 400
    for body in (
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"entity":"event"}',
        b"[" * 100_000,
        b'{"created_at":1e999}',
    ):
        assert (await post.send(Event("x", "x", body))).json()["code"] == "bad_signature", body[:20]
    assert (await post.send(Event("x", "x", b"x" * 600_000))).status_code == 413
    for stamp in (int(time.time()) + 400, int(time.time()) - 26 * 3600, -1, 10**30, "soon", None, 1.5, True):
        assert (await post.send(vendor.event("order.paid", order=order, created_at=stamp))).status_code in (200, 400)
    late = [vendor.event("order.paid", order=order, created_at=int(time.time()) - 23 * 3600)]
    assert (await post.send(late[0])).status_code == 200
    await post.handled()
    assert await available(customer) == BONUS + SMALL


async def test_time_in_the_future_or_long_gone_is_refused(hortus: Hortus, vendor: RazorpayEmulator, post: Post):
    order = of_checkout(vendor, await buy(await hortus.customer(), "/api/payment/topup", pack="small"))
    for off in (310, 86_400, -25 * 3600 - 60, -31_536_000):
        refused = await post.send(vendor.event("order.paid", order=order, created_at=int(time.time()) + off))
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_signature"), off
    assert await rows(hortus, "SELECT id FROM webhook_events") == []


async def test_news_of_other_things_is_kept_and_harms_nothing(hortus: Hortus, vendor: RazorpayEmulator, post: Post):
    strange = [
        vendor.event("settlement.processed", settlement={"id": "setl_1"}),
        vendor.event("payment.captured", payment={"id": "pay_00000000000000"}),
        vendor.event("payment.captured", payment={"id": "../../plans"}),
        vendor.event("order.paid", order={}),
        vendor.event("brand.new"),
        vendor.event("x" * 500, order={"id": None}),
    ]
    for event in strange:
        assert (await post.send(event)).status_code == 200
    bare = vendor.event("order.paid", order={"id": "order_00000000000000"})
    for _ in range(3):  # without an id of its own the body names it
        assert (await post.send(bare, **{"X-Razorpay-Event-Id": "é"[:0]})).status_code == 200
    await post.handled()
    assert len(await rows(hortus, "SELECT id FROM webhook_events")) == 7
    assert await rows(hortus, "SELECT id FROM payments") == []


async def test_what_was_never_sent_is_found_once(hortus: Hortus, vendor: RazorpayEmulator, post: Post):
    customer = await hortus.customer()
    paid = []
    for _ in range(8):
        order = of_checkout(vendor, await buy(customer, "/api/payment/topup", pack="small"))
        paid.append(vendor.pay(order["id"]))
    subscription = of_checkout(vendor, await buy(customer))
    vendor.pay(subscription["id"])
    post.news()
    assert await available(customer) == BONUS
    for _ in range(2):
        await reconcile(hortus.resources, None)  # type: ignore[arg-type] # a periodic task has no payload
        await post.handled()
        assert await available(customer) == BONUS + 8 * SMALL + PRO
    seen = len(await rows(hortus, "SELECT id FROM webhook_events"))
    vendor.refund(paid[0]["id"])
    dispute = vendor.dispute(paid[1]["id"])
    vendor.fail_renewal(subscription["id"])
    await reconcile(hortus.resources, None)  # type: ignore[arg-type]
    await post.handled()
    assert await available(customer) == BONUS + 6 * SMALL + PRO
    vendor.decide(dispute["id"], "won")
    vendor.end(subscription["id"])
    await reconcile(hortus.resources, None)  # type: ignore[arg-type]
    await post.handled()
    assert await available(customer) == BONUS + 7 * SMALL
    assert (await usage(customer))["plan"] == "basic"
    assert len(await rows(hortus, "SELECT id FROM webhook_events")) > seen


@pytest.mark.parametrize("lacking", ["RAZORPAY_KEY_ID", "RAZORPAY_KEY_SECRET", "RAZORPAY_WEBHOOK_SECRET"])
async def test_without_a_secret_there_is_no_route_and_nothing_for_sale(
    lacking: str, vendor: RazorpayEmulator, monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path
):
    from tests.helpers.server import serve

    monkeypatch.setenv(lacking, "  ")
    async with serve(database_url, tmp_path) as hortus:
        customer = await hortus.customer()
        event = vendor.event("order.paid", order={"id": "order_00000000000000"})
        for secret in ("", "  ", vendor.webhook_secret):
            answer = await customer.post(HOOK, content=event.body, headers=vendor.headers(event, secret))
            assert (answer.status_code, answer.json()["code"]) == (404, "gateway_not_found")
        assert (await customer.post("/api/payment/razorpay/verify", json={})).status_code == 404
        assert (await customer.get("/api/payment/plans")).json()["gateways"] == []
        assert (await customer.post("/api/payment/subscription")).json()["code"] == "payments_not_configured"
    assert vendor.calls == []


@pytest.mark.parametrize("mode", ["500", "429", "hang", "garbage", "cut", "401"])
async def test_an_order_is_made_once_though_razorpay_fails(mode: str, hortus: Hortus, vendor: RazorpayEmulator):
    customer = await hortus.customer()
    key = {"Idempotency-Key": "one"}
    for path, body in (("/api/payment/topup", {"pack": "small"}), ("/api/payment/subscription", {"plan": "pro"})):
        vendor.fail(mode)
        failed = await customer.post(path, json=body, headers=key)
        expected = (503, "payments_not_configured") if mode == "401" else (502, "gateway_failed")
        assert (failed.status_code, failed.json()["code"]) == expected
        vendor.heal()
        answers = [await customer.post(path, json=body, headers=key) for _ in range(3)]
        assert {answer.status_code for answer in answers} == {201}
        assert len({str(answer.json()["order"]) for answer in answers}) == 1
        key = {"Idempotency-Key": "two"}
    assert len(vendor.of("order")) == len(vendor.of("sub")) == len(vendor.of("plan")) == 1
