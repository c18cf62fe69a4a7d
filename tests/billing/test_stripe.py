"""The whole life of a customer's money with Stripe: its own client on our side, its wire format on the other."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.billing.conftest import available, buy, quiet, rows, usage
from tests.emulators.stripe import StripeEmulator
from tests.emulators.stripe.till import decide, dispute, refund
from tests.helpers.checks import Check
from tests.helpers.server import Hortus, serve
from tests.payments.bench import stripe_settings

from hortus.billing.webhooks.inbox import reconcile

CREDIT = 1_000_000
BONUS = 5 * CREDIT
PRO = 2000 * CREDIT
WEBHOOK = "/api/webhook/stripe"


@pytest.fixture
async def stripe(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StripeEmulator]:
    """Stripe on loopback, and the settings that lead there."""
    async with StripeEmulator() as emulator:
        for name, value in stripe_settings(emulator).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PAYMENT_SANDBOX", "off")
        yield emulator


@pytest.fixture
def server_options(stripe: StripeEmulator) -> dict[str, Any]:
    return {"knows_its_port": True}


@pytest.fixture
def server_ready() -> Check:
    return _reconciled


async def _reconciled(hortus: Hortus) -> None:
    # The sweep for missed news looks once at every start; after that it sleeps longer than a test lasts.
    async with asyncio.timeout(30):
        while not await rows(hortus, "SELECT 1 FROM tasks WHERE name = 'billing.reconcile' AND status = 'done'"):
            await asyncio.sleep(0.05)


def connect(hortus: Hortus, stripe: StripeEmulator, path: str = WEBHOOK) -> None:
    """Let Stripe know where its news goes."""
    stripe.webhook_url = hortus.url + path


async def told(hortus: Hortus, stripe: StripeEmulator) -> None:
    """Wait until all news was sent and worked on."""
    await stripe.settled(60)
    await quiet(hortus, 60)


def session_of(order: dict[str, Any]) -> str:
    """Stripe's id of a checkout."""
    return str(order["checkout_url"].rsplit("/", 1)[1])


async def test_a_free_user_hits_the_wall_buys_pro_renews_is_refunded_and_charged_back(
    hortus: Hortus, stripe: StripeEmulator
):
    connect(hortus, stripe, "/webhook/stripe")
    customer = await hortus.customer()
    for _ in range(5):
        assert (await customer.post("/api/text/generate", json={"prompt": "a poem"})).status_code == 200
    wall = await customer.post("/api/text/generate", json={"prompt": "a poem"})
    assert (wall.status_code, wall.json()["code"]) == (429, "quota_exceeded")
    assert wall.json()["upgrade_url"]
    own = before = await available(customer)

    order = await buy(customer, plan="pro", currency="INR", gateway="stripe")
    assert (order["amount_minor"], order["currency"], order["status"]) == (500_00, "INR", "open")
    session = stripe.books.get("checkout.session", session_of(order))
    assert (session["amount_total"], session["currency"], session["mode"]) == (500_00, "inr", "subscription")
    subscription = stripe.pay(session["id"], method="upi")["subscription"]
    await told(hortus, stripe)

    assert (await usage(customer))["plan"] == "pro"
    assert await available(customer) == before + PRO
    assert (await customer.post("/api/text/generate", json={"prompt": "a poem"})).status_code == 200
    assert (await customer.get(f"/api/payment/checkout/{order['checkout_id']}")).json()["status"] == "paid"
    before = await available(customer) - PRO  # that poem was paid by the plan

    stripe.renew(subscription)
    await told(hortus, stripe)
    assert await available(customer) == before + 2 * PRO

    payment = stripe.payment_of(subscription)
    refund(stripe.books, payment, 250_00)
    await told(hortus, stripe)
    assert await available(customer) == before + PRO + PRO // 2
    refund(stripe.books, payment, 250_00)
    await told(hortus, stripe)
    assert await available(customer) == before + PRO

    stripe.renew(subscription)
    await told(hortus, stripe)
    opened = dispute(stripe.books, stripe.payment_of(subscription))
    await told(hortus, stripe)
    assert await available(customer) == before + PRO
    decide(stripe.books, opened, "won")
    await told(hortus, stripe)
    assert await available(customer) == before + 2 * PRO
    lost = dispute(stripe.books, stripe.find("charge", amount_refunded=0, disputed=False))
    decide(stripe.books, lost, "lost")
    await told(hortus, stripe)
    assert await available(customer) == before + PRO

    ours = await rows(hortus, "SELECT amount_minor, refunded_minor, disputed_minor, method FROM payments ORDER BY id")
    charges = stripe.books.all("charge")[::-1]
    assert [row[0] for row in ours] == [each["amount"] for each in charges] == [500_00] * 3
    assert [row[1] for row in ours] == [each["amount_refunded"] for each in charges] == [0, 500_00, 0]
    assert [row[2] for row in ours] == [500_00, 0, 0]
    assert ours[0][3] == "upi"

    gone = (await customer.post("/api/payment/subscription/cancel", json={"at": "now"})).json()
    assert (gone["subscription"], gone["plan"]["name"]) == (None, "basic")
    await told(hortus, stripe)
    assert (await usage(customer))["plan"] == "basic"
    assert await available(customer) == own


async def test_a_pack_is_credited_once_and_an_inquiry_takes_nothing(hortus: Hortus, stripe: StripeEmulator):
    connect(hortus, stripe)
    customer = await hortus.customer()
    order = await buy(customer, "/api/payment/topup", pack="small", currency="USD")
    stripe.pay(session_of(order), ok=False)
    await told(hortus, stripe)
    assert await available(customer) == BONUS
    assert await rows(hortus, "SELECT reason FROM failed_payments") == [("generic_decline",)]
    intent = stripe.pay(session_of(order))["payment_intent"]
    asked = dispute(stripe.books, stripe.books.get("payment_intent", intent), "warning_needs_response")
    await told(hortus, stripe)
    assert await available(customer) == BONUS + 100 * CREDIT
    decide(stripe.books, asked, "warning_closed")
    await told(hortus, stripe)
    assert await available(customer) == BONUS + 100 * CREDIT
    assert await rows(hortus, "SELECT kind, amount_minor, currency FROM payments") == [("topup", 1_99, "USD")]


async def test_a_failed_renewal_is_mended_and_a_downgrade_waits_for_the_next_period(
    hortus: Hortus, stripe: StripeEmulator
):
    connect(hortus, stripe)
    customer = await hortus.customer()
    order = await buy(customer, plan="pro", interval="year", currency="INR")
    subscription = stripe.pay(session_of(order))["subscription"]
    await told(hortus, stripe)
    path = "/api/payment/subscription/update"
    later = (await customer.put(path, json={"plan": "pro", "interval": "month", "confirm": True})).json()
    assert (later["applied"], later["takes_effect"], later["due_minor"]) == (True, "next_period", 0)
    await told(hortus, stripe)
    shown = (await customer.get("/api/payment/subscription/details")).json()["subscription"]
    assert (shown["interval"], shown["next_interval"]) == ("year", "month")

    stripe.renew(subscription, ok=False)
    await told(hortus, stripe)
    details = (await customer.get("/api/payment/subscription/details")).json()
    assert (details["subscription"]["status"], details["plan"]["name"]) == ("past_due", "pro")
    assert len(await rows(hortus, "SELECT id FROM failed_payments")) == 1
    stripe.renew(subscription)
    await told(hortus, stripe)
    shown = (await customer.get("/api/payment/subscription/details")).json()["subscription"]
    assert (shown["status"], shown["interval"], shown["next_interval"]) == ("active", "month", None)
    paid = await rows(hortus, "SELECT amount_minor FROM payments ORDER BY id")
    assert paid == [(5000_00,), (500_00,)]


async def test_an_upgrade_costs_what_was_shown_and_the_portal_opens(hortus: Hortus, stripe: StripeEmulator):
    connect(hortus, stripe)
    customer = await hortus.customer()
    assert (await customer.post("/api/payment/portal")).json()["code"] == "no_portal"
    order = await buy(customer, currency="USD")
    stripe.pay(session_of(order))
    await told(hortus, stripe)
    path = "/api/payment/subscription/update"
    shown = (await customer.put(path, json={"plan": "pro", "interval": "year"})).json()
    done = (await customer.put(path, json={"plan": "pro", "interval": "year", "confirm": True})).json()
    assert (done["applied"], done["takes_effect"]) == (True, "now")
    await told(hortus, stripe)
    paid = await rows(hortus, "SELECT kind, amount_minor FROM payments ORDER BY id")
    assert [row[0] for row in paid] == ["subscription", "change"]
    assert abs(paid[1][1] - shown["due_minor"]) <= 1
    opened = (await customer.post("/api/payment/portal", json={"return_path": "/me"})).json()["url"]
    assert opened.startswith(f"{stripe.url}/p/session/cus_")


async def post(client: httpx2.AsyncClient, sent: tuple[dict[str, str], bytes]) -> httpx2.Response:
    """Send a webhook call as Stripe does."""
    return await client.post(WEBHOOK, headers=sent[0], content=sent[1])


async def test_fifty_copies_of_every_event_in_every_order_have_one_effect(
    hortus: Hortus, stripe: StripeEmulator, full: bool
):
    sender = hortus.anonymous()
    happened = ("subscription.created", "invoice.paid", "subscription.updated", "subscription.deleted")
    for number, order_of_news in enumerate(itertools.permutations(range(4))):
        customer = await hortus.customer()
        order = await buy(customer, plan="pro", currency="INR")
        seen = len(stripe.books.events)
        subscription = stripe.pay(session_of(order))["subscription"]
        stripe.renew(subscription)
        stripe.books.get("subscription", subscription)["cancel_at_period_end"] = True
        stripe.renew(subscription)
        news = stripe.books.events[seen:]
        four = [next(each for each in news if each["type"].endswith(kind)) for kind in happened]
        # Fifty of each in the order it happened in and in its reverse, three in the others.
        copies = 50 if full or number in (0, 23) else 3
        for index in order_of_news:
            sent = stripe.signed(four[index])
            answers = await asyncio.gather(*(post(sender, sent) for _ in range(copies)))
            assert {answer.status_code for answer in answers} == {200}
        await quiet(hortus, 60)
        assert len(await rows(hortus, "SELECT id FROM webhook_events")) == 4 * (number + 1)
        assert (await usage(customer))["plan"] == "basic"
        assert await available(customer) == BONUS
        history = (await customer.get("/api/payment/history")).json()["items"]
        assert [(paid["status"], paid["amount_minor"]) for paid in history] == [("paid", 500_00)] * 2
    assert await rows(hortus, "SELECT DISTINCT status FROM webhook_events") == [("processed",)]


async def test_forged_stale_future_and_strange_deliveries_have_no_effect(hortus: Hortus, stripe: StripeEmulator):
    customer = await hortus.customer()
    client = hortus.anonymous()
    order = await buy(customer, "/api/payment/topup", pack="small")
    stripe.pay(session_of(order))
    event = stripe.find("event", type="checkout.session.completed")
    now = event["created"]
    headers, body = stripe.signed(event)
    good = headers["Stripe-Signature"]
    for sent in (
        stripe.signed(event, secret="whsec_other"),
        stripe.signed(event, secret=""),
        stripe.signed(event, at=now - 400),
        stripe.signed(event, at=now + 400),
        stripe.signed(event, at=now + 365 * 86_400),
        ({"Stripe-Signature": good}, body.replace(b'"amount_total": ', b'"amount_total": 9')),
        ({"Stripe-Signature": good}, b""),
        ({}, body),
        *(stripe.signed(other) for other in ([], {}, {"object": "event"}, {**event, "id": None}, {**event, "data": 1})),
        stripe.signed({**event, "created": 10**30}),
        stripe.signed({**event, "object": "v2.core.event"}),
    ):
        answer = await post(client, sent)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature"), sent
    for header in (b"\xe9" * 30, good.encode()[:-2] + b"\xc3\xa9", b"t=\xc2\xb2,v1=00"):
        answer = await client.post(WEBHOOK, content=body, headers=[("Stripe-Signature", header)])
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature"), header
    large = stripe.signed({**event, "padding": "x" * 600_000})
    assert (await post(client, large)).status_code == 413
    assert await rows(hortus, "SELECT id FROM webhook_events") == []
    assert await available(customer) == BONUS

    # What is signed is taken: with the signature of a new secret beside it, of a kind nobody knows, or for another.
    both = {"Stripe-Signature": good.replace(",v1=", f",v0=1,v1={'0' * 64},v1=")}
    for sent in (
        (both, body),
        stripe.signed({**event, "id": "evt_unknown", "type": "a.kind.of.next.year", "data": {"object": {}}}),
        stripe.signed({**event, "id": "evt_connected", "account": "acct_1"}),
    ):
        assert (await post(client, sent)).status_code == 200
    await quiet(hortus)
    assert await available(customer) == BONUS + 100 * CREDIT
    statuses = sorted(await rows(hortus, "SELECT status FROM webhook_events"))
    assert statuses == [("ignored",), ("ignored",), ("processed",)]


async def test_without_a_secret_there_is_no_route(
    database_url: str, tmp_path: Path, stripe: StripeEmulator, monkeypatch: pytest.MonkeyPatch
):
    event = {"id": "evt_1", "object": "event", "type": "invoice.paid", "created": 1, "data": {"object": {}}}
    for secret in ("", "   "):
        monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", secret)
        async with serve(database_url, tmp_path) as running:
            client = running.anonymous()
            for path in ("/api/webhook/stripe", "/webhook/stripe", "/api/payment/webhook/stripe"):
                headers, body = stripe.signed(event, secret=secret)
                assert (await client.post(path, headers=headers, content=body)).status_code == 404
            assert (await client.get("/api/payment/plans")).json()["gateways"] == []


async def test_a_hundred_events_that_were_never_sent_are_found(hortus: Hortus, stripe: StripeEmulator):
    customers = [await hortus.customer() for _ in range(5)]
    for customer in customers:
        for _ in range(10):
            stripe.pay(session_of(await buy(customer, "/api/payment/topup", pack="small")))
    assert {await available(customer) for customer in customers} == {BONUS}
    await reconcile(hortus.resources, None)  # type: ignore[arg-type] # a periodic task has no payload
    await quiet(hortus, 60)
    assert {await available(customer) for customer in customers} == {BONUS + 1000 * CREDIT}
    kinds = await rows(hortus, "SELECT kind, count(*) FROM webhook_events GROUP BY kind ORDER BY kind")
    assert kinds == [("checkout.session.completed", 50), ("payment_intent.succeeded", 50)]
    await reconcile(hortus.resources, None)  # type: ignore[arg-type]
    assert await rows(hortus, "SELECT count(*) FROM webhook_events") == [(100,)]


async def test_stripe_that_fails_fails_the_checkout_and_nothing_else(hortus: Hortus, stripe: StripeEmulator):
    customer = await hortus.customer()
    passing, key, refusal = (502, "gateway_failed"), (503, "payments_not_configured"), (409, "gateway_refused")
    said = {"error": passing, "rate_limited": passing, "garbage": passing, "cut": passing}
    for mode, expected in (said | {"unauthorized": key, "bad_request": refusal}).items():
        stripe.fail(mode)
        answer = await customer.post("/api/payment/topup", json={"pack": "small"})
        assert (answer.status_code, answer.json()["code"]) == expected, answer.text
        assert "Jane" not in json.dumps(answer.json())
        stripe.heal()
    assert (await buy(customer, "/api/payment/topup", pack="small"))["status"] == "open"
