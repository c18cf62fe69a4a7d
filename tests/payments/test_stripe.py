"""What is Stripe's own: its failures, its keys, what its dashboard may do behind our back."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.emulators.stripe.till import fail_refund
from tests.payments.bench import StripeBench, context_of, order_of, price_of, stripe_bench, subscribe

from hortus.core.clock import EPOCH
from hortus.core.db import Database
from hortus.core.http import CallInsideTransaction
from hortus.payments import (
    CheckoutExpired,
    CheckoutPaid,
    Declined,
    GatewayContext,
    GatewayError,
    GatewayNotConfigured,
    GatewayRefused,
    GatewayUnavailable,
    ObjectRef,
    PaymentFailed,
    Refunded,
    SubscriptionChanged,
    discover,
)
from hortus.payments.stripe import Adapter
from hortus.payments.stripe.webhooks import KINDS


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[GatewayContext]:
    """What an adapter is given; this one asks no database."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'unused.db'}")
    async with context_of(database, tmp_path) as made:
        yield made
    await database.close()


@pytest.fixture
async def bench(context: GatewayContext, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StripeBench]:
    """Stripe alone."""
    async with stripe_bench(context, monkeypatch) as made:
        assert isinstance(made, StripeBench)
        yield made


FAILED = {
    "bad_request": GatewayRefused,
    "unauthorized": GatewayNotConfigured,
    "forbidden": GatewayNotConfigured,
    "rate_limited": GatewayUnavailable,
    "error": GatewayUnavailable,
    "overloaded": GatewayUnavailable,
    "garbage": GatewayUnavailable,
    "cut": GatewayUnavailable,
    "half_headers": GatewayUnavailable,
}


@pytest.mark.parametrize("mode", sorted(FAILED))
async def test_each_failure_has_its_error_and_repeats_nothing(bench: StripeBench, mode: str):
    _, started, subscription = await subscribe(bench)
    gateway, price = bench.gateway, price_of()
    bench.emulator.fail(mode)

    async def list_all() -> None:
        async for _ in gateway.list_events_since(EPOCH):
            pass

    for asked in (
        gateway.start(order_of()),
        gateway.fetch_events(ObjectRef("subscription", subscription)),
        gateway.price(price),
        gateway.cancel(subscription, now=True, key="a"),
        gateway.refund("pi_1", 1, key="b"),
        gateway.portal(started.customer or "", "http://shop.test/"),
        list_all(),
    ):
        with pytest.raises(FAILED[mode]) as raised:
            await asked
        assert isinstance(raised.value, GatewayError)
        assert not any(secret in str(raised.value) for secret in ("Jane", "jane", bench.emulator.secret_key))
        if isinstance(raised.value, GatewayUnavailable) and mode in ("rate_limited", "overloaded"):
            assert raised.value.after == 1.0


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(bench: StripeBench):
    bench.emulator.fail("cut", times=1, path="/v1/checkout/sessions")
    started = await bench.gateway.start(order_of())
    asked = [call for call in bench.emulator.calls if call.path == "/v1/checkout/sessions"]
    assert len(asked) == 2
    assert len({call.headers["Idempotency-Key"] for call in asked}) == 1
    assert started.external_id in bench.emulator.books.things


async def test_a_stripe_that_hangs_is_waited_for_in_bounded_time(
    bench: StripeBench, context: GatewayContext, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STRIPE_TIMEOUT", "0.2")
    bench.emulator.fail("hang")
    began = time.monotonic()
    async with asyncio.timeout(20):
        with pytest.raises(GatewayUnavailable):
            await Adapter(context).start(order_of())
    assert time.monotonic() - began < 10


async def test_nothing_is_asked_while_a_transaction_is_open(bench: StripeBench, context: GatewayContext):
    async with context.database.transaction():
        with pytest.raises(CallInsideTransaction):
            await bench.gateway.start(order_of())
    assert bench.emulator.calls == []


async def test_another_request_under_the_same_order_is_refused(bench: StripeBench):
    order = order_of()
    await bench.gateway.start(order)
    with pytest.raises(GatewayRefused):
        await bench.gateway.start(replace(order, amount_minor=1))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "set STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET"),
        ({"STRIPE_SECRET_KEY": "sk_test_1"}, "set STRIPE_WEBHOOK_SECRET"),
        ({"STRIPE_WEBHOOK_SECRET": "whsec_1", "STRIPE_API_KEY": "  "}, "set STRIPE_SECRET_KEY"),
        ({"STRIPE_WEBHOOK_SECRET": "whsec_1", "STRIPE_API_KEY": "pk_test_1"}, "STRIPE_SECRET_KEY must be a secret"),
        ({"STRIPE_WEBHOOK_SECRET": "whsec_1", "STRIPE_API_KEY": "rk_live_1"}, None),
        ({"STRIPE_API_BASE": "http://stripe.example.com"}, "not an https address"),
        ({"STRIPE_API_BASE": "http://localhost.example.com"}, "not an https address"),
        ({"STRIPE_CURRENCIES": "USD,dollars"}, "should match pattern"),
    ],
)
def test_what_is_missing_is_said(
    context: GatewayContext, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str | None
):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    gateways = discover(context)
    found = next((each for each in gateways.all() if each.id == "stripe"), None)
    told = gateways.broken["stripe"] if found is None else found.missing()
    assert told is None if said is None else said in str(told)
    if said is not None:
        assert gateways.get("stripe") is None


def test_currencies_are_chosen_by_the_operator(context: GatewayContext, monkeypatch: pytest.MonkeyPatch):
    assert Adapter(context).capabilities.currencies == ("USD", "EUR", "GBP", "INR")
    monkeypatch.setenv("STRIPE_CURRENCIES", "inr, usd")
    assert Adapter(context).capabilities.currencies == ("INR", "USD")


# What the dashboard may do -----------------------------------------------------


async def test_a_customer_deleted_at_stripe_can_buy_again(bench: StripeBench):
    first = await bench.gateway.start(order_of())
    bench.emulator.lose(first.customer or "")
    again = await bench.gateway.start(order_of(customer=first.customer))
    assert again.customer not in (None, first.customer)


async def test_an_address_that_stripe_refuses_does_not_stop_a_sale(bench: StripeBench):
    order = order_of()
    started = await bench.gateway.start(replace(order, buyer=replace(order.buyer, email="büyer@läden.example")))
    assert bench.emulator.books.get("customer", started.customer)["email"] is None


async def test_an_archived_price_is_sold_again_and_one_of_other_terms_is_refused(bench: StripeBench):
    price = price_of()
    made = await bench.gateway.price(price)
    bench.emulator.books.get("price", made)["active"] = False
    await subscribe(bench, price)
    bench.emulator.kept.clear()
    with pytest.raises(GatewayRefused):
        await bench.gateway.price(replace(price, amount_minor=1))


async def test_a_portal_that_was_not_set_up_is_refused(bench: StripeBench):
    started = await bench.gateway.start(order_of())
    assert (await bench.gateway.portal(started.customer or "", "http://shop.test/me")).startswith(bench.emulator.url)
    bench.emulator.desk.portal = False
    with pytest.raises(GatewayRefused):
        await bench.gateway.portal(started.customer or "", "http://shop.test/me")


async def test_the_end_that_the_portal_set_can_be_taken_back(bench: StripeBench):
    _, _, subscription = await subscribe(bench)
    found = bench.emulator.books.get("subscription", subscription)
    found["cancel_at"] = found["items"]["data"][0]["current_period_end"]
    for ends in (True, False):
        changed = (await bench.gateway.fetch_events(ObjectRef("subscription", subscription)))[0]
        assert isinstance(changed, SubscriptionChanged)
        assert changed.state.cancels_at_period_end is ends
        await bench.gateway.resume(subscription, key="resume")


async def test_a_change_for_later_is_known_before_it_comes_and_leaves_with_another(bench: StripeBench):
    _, _, subscription = await subscribe(bench, price_of(5000_00, "year"))
    month = await bench.gateway.price(price_of(500_00))
    dear = await bench.gateway.price(price_of(9000_00, "year"))

    async def coming() -> str:
        changed = (await bench.gateway.fetch_events(ObjectRef("subscription", subscription)))[0]
        assert isinstance(changed, SubscriptionChanged)
        return changed.state.price

    before = await coming()
    await bench.gateway.change(subscription, month, now=False, key="a")
    assert await coming() == month
    await bench.gateway.change(subscription, before, now=False, key="b")
    assert await coming() == before
    await bench.gateway.change(subscription, month, now=False, key="c")
    await bench.gateway.change(subscription, dear, now=True, key="d")
    assert await coming() == dear


# Money that is slow or comes back ----------------------------------------------


async def test_a_slow_way_of_paying_may_succeed_or_fail_after_the_page_closed(bench: StripeBench):
    for ok in (True, False):
        order = order_of()
        started = await bench.gateway.start(order)
        bench.emulator.pay(started.external_id, ok=False)
        session = bench.emulator.books.get("checkout.session", started.external_id)
        intent = bench.emulator.books.get("payment_intent", session["payment_intent"])
        error = intent["last_payment_error"]
        intent.update(status="processing", last_payment_error=None)
        session.update(status="complete", payment_status="unpaid")
        assert await bench.gateway.fetch_events(ObjectRef("checkout", started.external_id)) == []
        if ok:
            intent.update(status="succeeded", amount_received=intent["amount"])
        else:
            intent.update(status="requires_payment_method", last_payment_error=error)
        events = await bench.gateway.fetch_events(ObjectRef("checkout", started.external_id))
        assert [type(each) for each in events] == ([CheckoutPaid] if ok else [PaymentFailed, CheckoutExpired])


async def test_a_discount_may_leave_nothing_to_pay(bench: StripeBench):
    order = order_of(0, discount_minor=199)
    started = await bench.gateway.start(order)
    await bench.pay(started.external_id)
    (paid,) = await bench.gateway.fetch_events(ObjectRef("checkout", started.external_id))
    assert isinstance(paid, CheckoutPaid)
    assert (paid.reference, paid.payment.amount_minor) == (order.id, 0)
    with pytest.raises(GatewayRefused):
        await bench.gateway.refund(paid.payment.external_id, 1, key="a")


async def test_a_refund_that_the_bank_sent_back_is_none(bench: StripeBench):
    started = await bench.gateway.start(order_of())
    await bench.pay(started.external_id)
    (paid,) = await bench.gateway.fetch_events(ObjectRef("checkout", started.external_id))
    assert isinstance(paid, CheckoutPaid)
    await bench.gateway.refund(paid.payment.external_id, 50, key="a")
    await bench.gateway.refund(paid.payment.external_id, 60, key="b")
    fail_refund(bench.emulator.books, bench.emulator.find("refund", amount=50))
    _, left = await bench.gateway.fetch_events(ObjectRef("payment", paid.payment.external_id))
    assert isinstance(left, Refunded)
    assert left.amount_minor == 60


async def test_a_bank_that_wants_to_see_its_customer_declines_without_a_page(bench: StripeBench):
    stranger = await bench.gateway.start(order_of())
    with pytest.raises(Declined):
        await bench.gateway.charge(order_of(customer=stranger.customer))
    started = await bench.gateway.start(order_of())
    await bench.pay(started.external_id)
    for banks in (bench.emulator.desk.asks_more, bench.emulator.desk.declining):
        banks.add(started.customer or "")
        order = order_of(customer=started.customer)
        with pytest.raises(Declined) as raised:
            await bench.gateway.charge(order)
        assert "Jane" not in str(raised.value)
        assert "4242" not in str(raised.value)
        banks.clear()


async def test_a_page_of_events_follows_another(bench: StripeBench):
    for _ in range(60):
        await bench.pay((await bench.gateway.start(order_of())).external_id)
    found = [each async for each in bench.gateway.list_events_since(EPOCH)]
    assert len(found) == len({each.event_id for each in found}) == 120
    assert [each.event_id for each in found] == sorted(each.event_id for each in found)


async def test_what_is_offered_is_left_to_stripe_and_only_cards_are_kept(bench: StripeBench):
    started = await bench.gateway.start(order_of(currency="INR"))
    params = bench.emulator.desk.session_params[started.external_id]
    assert "payment_method_types" not in params
    assert params["payment_method_options"] == {"card": {"setup_future_usage": "off_session"}}
    assert "setup_future_usage" not in params["payment_intent_data"]


def test_the_manual_lists_the_events_that_are_understood():
    manual = (Path(__file__).parents[2] / "docs/operators/payments.md").read_text()
    section = manual.split("## Stripe", 1)[1].split("## ", 1)[0]
    listed = [line.strip() for line in section.split("```")[1].splitlines() if line.strip()]
    assert listed == list(KINDS)
    assert len(KINDS) <= 20  # more than that Stripe does not list at once
