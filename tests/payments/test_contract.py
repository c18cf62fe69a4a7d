"""What billing relies on, of every gateway: the same words for the same things, as often as it is asked."""

import time
from datetime import timedelta

import pytest
from tests.payments.bench import Bench, order_of, price_of, subscribe

from hortus.core import clock
from hortus.core.clock import EPOCH
from hortus.payments import (
    CheckoutExpired,
    CheckoutPaid,
    Declined,
    Disputed,
    GatewayRefused,
    InvalidSignature,
    ObjectRef,
    PaymentEvent,
    PaymentFailed,
    Refunded,
    SubscriptionChanged,
    SubscriptionRenewed,
)


async def about(bench: Bench, kind: str, external_id: str) -> list[PaymentEvent]:
    """The facts, asked twice: nothing changes by asking."""
    ref = ObjectRef(kind, external_id)  # type: ignore[arg-type]
    events = await bench.gateway.fetch_events(ref)
    assert await bench.gateway.fetch_events(ref) == events
    return events


def state(events: list[PaymentEvent]) -> tuple[str, bool]:
    """Of a subscription: its status, and whether the gateway says that it ends with its period."""
    (changed,) = [each for each in events if isinstance(each, SubscriptionChanged)]
    assert events[0] is changed
    return changed.state.status, bool(changed.state.cancels_at_period_end)


def amounts(events: list[PaymentEvent]) -> list[tuple[int, str, bool]]:
    """The periods that were paid, the oldest first."""
    renewals = [each for each in events if isinstance(each, SubscriptionRenewed)]
    return [(each.payment.amount_minor, each.payment.currency, each.changed) for each in renewals]


# Single purchases ------------------------------------------------------------


async def test_an_order_is_opened_once_and_paid_once(bench: Bench):
    order = order_of()
    started = await bench.gateway.start(order)
    assert await bench.gateway.start(order) == started
    assert (started.url is None) == (started.order is not None)  # a page of the gateway, or data for its widget
    assert await about(bench, "checkout", started.external_id) == []
    await bench.pay(started.external_id)
    await bench.pay(started.external_id)
    (paid,) = await about(bench, "checkout", started.external_id)
    assert isinstance(paid, CheckoutPaid)
    assert (paid.reference, paid.payment.amount_minor, paid.payment.currency) == (order.id, 199, "USD")
    assert paid.payment.method
    assert abs((clock.now() - paid.payment.paid_at).total_seconds()) < 60
    assert await about(bench, "payment", paid.payment.external_id) == [paid]


async def test_a_buyer_who_is_declined_may_try_again(bench: Bench):
    order = order_of()
    started = await bench.gateway.start(order)
    await bench.decline(started.external_id)
    (failed,) = await about(bench, "checkout", started.external_id)
    assert isinstance(failed, PaymentFailed)
    assert (failed.reference, failed.subscription) == (order.id, None)
    await bench.pay(started.external_id)
    (paid,) = await about(bench, "checkout", started.external_id)
    assert isinstance(paid, CheckoutPaid)


async def test_a_closed_checkout_is_never_paid_and_a_paid_one_is_never_closed(bench: Bench):
    order = order_of()
    started = await bench.gateway.start(order)
    await bench.gateway.close(started.external_id)
    await bench.gateway.close(started.external_id)
    await bench.pay(started.external_id)
    assert await about(bench, "checkout", started.external_id) == [CheckoutExpired(order.id)]
    paid = await bench.gateway.start(order_of())
    await bench.pay(paid.external_id)
    with pytest.raises(GatewayRefused):
        await bench.gateway.close(paid.external_id)


async def test_what_nobody_knows_has_no_facts(bench: Bench):
    for kind in ("checkout", "subscription", "payment"):
        assert await about(bench, kind, f"{kind}_unknown") == []


async def test_a_known_customer_is_charged_once_per_order(bench: Bench):
    if not bench.gateway.capabilities.off_session:
        pytest.skip("it charges nobody without a page")
    first = await bench.gateway.start(order_of())
    await bench.pay(first.external_id)
    order = order_of(4_99, customer=first.customer)
    await bench.gateway.charge(order)
    await bench.gateway.charge(order)
    found = [
        paid
        for incoming in [each async for each in bench.gateway.list_events_since(EPOCH)]
        if incoming.ref is not None
        for paid in await bench.gateway.fetch_events(incoming.ref)
        if isinstance(paid, CheckoutPaid) and paid.reference == order.id
    ]
    assert {paid.payment.amount_minor for paid in found} == {4_99}
    assert len({paid.payment.external_id for paid in found}) == 1
    with pytest.raises(GatewayRefused):
        await bench.gateway.charge(order_of())


# Subscriptions ---------------------------------------------------------------


async def test_a_price_is_made_once(bench: Bench):
    price = price_of()
    made = await bench.gateway.price(price)
    assert await bench.gateway.price(price) == made
    assert await bench.gateway.price(price_of()) != made


async def test_a_subscription_is_paid_by_periods(bench: Bench):
    price = price_of()
    order, started, subscription = await subscribe(bench, price)
    events = await about(bench, "subscription", subscription)
    assert state(events) == ("active", False)
    assert amounts(events) == [(500_00, "INR", False)]
    changed, first = events
    assert isinstance(changed, SubscriptionChanged)
    assert isinstance(first, SubscriptionRenewed)
    assert changed.state.reference == first.reference == order.id
    assert changed.state.price == first.price == await bench.gateway.price(price)
    assert (first.period_start, first.period_end) == (changed.state.period_start, changed.state.period_end)
    assert clock.add_months(first.period_start, 1) == first.period_end
    assert await about(bench, "checkout", started.external_id) == events
    assert await about(bench, "payment", first.payment.external_id) == events
    await bench.renew(subscription)
    again = await about(bench, "subscription", subscription)
    assert amounts(again) == [(500_00, "INR", False)] * 2
    second = again[-1]
    assert isinstance(second, SubscriptionRenewed)
    assert (again[1], second.period_start) == (first, first.period_end)
    assert second.payment.external_id != first.payment.external_id


async def test_the_first_period_may_cost_less(bench: Bench):
    if not bench.gateway.capabilities.discounts:
        pytest.skip("it knows no discounts")
    for off in (123_45, 500_00):
        _, _, subscription = await subscribe(bench, amount=500_00 - off, discount_minor=off)
        assert amounts(await about(bench, "subscription", subscription)) == [(500_00 - off, "INR", False)]
        await bench.renew(subscription)
        assert amounts(await about(bench, "subscription", subscription))[1:] == [(500_00, "INR", False)]


async def test_a_trial_costs_nothing_until_it_ends(bench: Bench):
    if not bench.gateway.capabilities.trials:
        pytest.skip("it knows no trials")
    _, _, subscription = await subscribe(bench, trial_days=7)
    events = await about(bench, "subscription", subscription)
    assert state(events) == ("trialing", False)
    assert amounts(events) == []
    assert isinstance(events[0], SubscriptionChanged)
    assert events[0].state.trial_end == events[0].state.period_end
    await bench.renew(subscription)
    events = await about(bench, "subscription", subscription)
    assert state(events) == ("active", False)
    assert amounts(events) == [(500_00, "INR", False)]


async def test_a_renewal_that_fails_is_told_and_may_succeed_later(bench: Bench):
    _, _, subscription = await subscribe(bench)
    await bench.fail_renewal(subscription)
    events = await about(bench, "subscription", subscription)
    assert state(events)[0] == "past_due"
    failed = events[-1]
    assert isinstance(failed, PaymentFailed)
    assert failed.subscription == subscription
    assert failed.retry_at is not None
    assert len(amounts(events)) == 1
    await bench.renew(subscription)
    events = await about(bench, "subscription", subscription)
    assert state(events)[0] == "active"
    assert len(amounts(events)) == 2
    for _ in range(3):
        await bench.fail_renewal(subscription)
    events = await about(bench, "subscription", subscription)
    assert state(events)[0] in ("ended", "past_due")  # one that a new card may bring back has not ended
    assert len(amounts(events)) == 2


async def test_a_change_now_costs_what_was_shown(bench: Bench):
    _, _, subscription = await subscribe(bench)
    year = await bench.gateway.price(price_of(5000_00, "year"))
    shown = await bench.gateway.preview(subscription, year)
    assert (shown.currency, shown.unused_minor <= 500_00) == ("INR", True)
    for _ in range(2):
        await bench.gateway.change(subscription, year, now=True, key="change-1")
    events = await about(bench, "subscription", subscription)
    (_, (paid, _, changed)) = amounts(events)
    assert changed
    assert abs(paid - shown.due_minor) < 100
    assert 4500_00 <= paid <= 4501_00
    last = events[-1]
    assert isinstance(last, SubscriptionRenewed)
    assert last.price == year
    assert clock.add_months(last.period_start, 12) == last.period_end


@pytest.mark.parametrize("interval", ["month", "year"])
async def test_a_change_later_costs_nothing_now(bench: Bench, interval: str):
    _, _, subscription = await subscribe(bench, price_of(5000_00, interval))
    less = await bench.gateway.price(price_of(400_00, "month"))
    for _ in range(2):
        await bench.gateway.change(subscription, less, now=False, key="change-1")
    assert amounts(await about(bench, "subscription", subscription)) == [(5000_00, "INR", False)]
    await bench.renew(subscription)
    events = await about(bench, "subscription", subscription)
    assert amounts(events) == [(5000_00, "INR", False), (400_00, "INR", False)]
    _, before, after = events
    assert isinstance(before, SubscriptionRenewed)
    assert isinstance(after, SubscriptionRenewed)
    assert after.price == less
    assert after.period_start == before.period_end
    assert after.period_end == clock.add_months(after.period_start, 1)


async def test_a_change_that_the_bank_declines_changes_nothing(bench: Bench):
    _, started, subscription = await subscribe(bench)
    before = await about(bench, "subscription", subscription)
    year = await bench.gateway.price(price_of(5000_00, "year"))
    await bench.set_declining(subscription, started.customer or "")
    with pytest.raises(Declined):
        await bench.gateway.change(subscription, year, now=True, key="change-1")
    assert await about(bench, "subscription", subscription) == before


async def test_a_subscription_ends_with_its_period_or_now(bench: Bench):
    _, _, subscription = await subscribe(bench)
    year = await bench.gateway.price(price_of(5000_00, "year"))
    await bench.gateway.change(subscription, year, now=False, key="change")
    for key in ("a", "b"):
        await bench.gateway.cancel(subscription, now=False, key=key)
    says = bench.gateway.capabilities.resume  # one that cannot take it back does not speak of it either
    assert state(await about(bench, "subscription", subscription)) == ("active", says)
    for key in ("c", "d"):
        if not bench.gateway.capabilities.resume:
            with pytest.raises(GatewayRefused):
                await bench.gateway.resume(subscription, key=key)
            continue
        await bench.gateway.resume(subscription, key=key)
    assert state(await about(bench, "subscription", subscription)) == ("active", False)
    await bench.gateway.cancel(subscription, now=False, key="e")
    await bench.renew(subscription)
    events = await about(bench, "subscription", subscription)
    assert (state(events)[0], len(amounts(events))) == ("ended", 1)
    _, _, other = await subscribe(bench)
    for key in ("f", "g"):
        await bench.gateway.cancel(other, now=True, key=key)
    assert state(await about(bench, "subscription", other))[0] == "ended"
    with pytest.raises(GatewayRefused):
        await bench.gateway.resume(other, key="h")
    with pytest.raises(GatewayRefused):
        await bench.gateway.cancel("subscription_unknown", now=True, key="i")


# Money back ------------------------------------------------------------------


async def test_money_goes_back_once_per_key_and_never_more_than_was_paid(bench: Bench):
    _, _, subscription = await subscribe(bench)
    await bench.renew(subscription)
    payment = (await about(bench, "subscription", subscription))[1].payment.external_id  # type: ignore[union-attr]
    for key in ("one", "one", "two"):
        await bench.gateway.refund(payment, 100_01, key=key)
    events = await about(bench, "payment", payment)
    refunds = [each for each in events if isinstance(each, Refunded)]
    assert [(each.amount_minor, each.currency, each.payment) for each in refunds] == [(100_01, "INR", payment)] * 2
    assert len({each.external_id for each in refunds}) == 2
    with pytest.raises(GatewayRefused):
        await bench.gateway.refund(payment, 300_00, key="three")
    with pytest.raises(GatewayRefused):
        await bench.gateway.refund("payment_unknown", 1, key="four")
    assert await about(bench, "subscription", subscription) == events


@pytest.mark.parametrize("won", [True, False])
async def test_a_dispute_is_open_and_then_decided(bench: Bench, won: bool):
    started = await bench.gateway.start(order_of())
    await bench.pay(started.external_id)
    (paid,) = await about(bench, "checkout", started.external_id)
    payment = paid.payment.external_id  # type: ignore[union-attr]
    await bench.dispute(payment)
    opened = (await about(bench, "payment", payment))[-1]
    assert isinstance(opened, Disputed)
    assert (opened.payment, opened.amount_minor, opened.currency, opened.status) == (payment, 199, "USD", "open")
    await bench.decide(payment, won=won)
    decided = (await about(bench, "checkout", started.external_id))[-1]
    assert isinstance(decided, Disputed)
    assert (decided.external_id, decided.status) == (opened.external_id, "won" if won else "lost")


# News ------------------------------------------------------------------------


async def test_news_names_what_it_is_about_and_can_be_asked_for(bench: Bench):
    _, _, subscription = await subscribe(bench)
    single = await bench.gateway.start(order_of())
    await bench.pay(single.external_id)
    await bench.renew(subscription)
    incoming = [bench.gateway.parse_webhook(headers, body, clock.now()) for headers, body in await bench.sent()]
    assert len({each.event_id for each in incoming}) == len(incoming)
    told = {each.ref for each in incoming if each.ref is not None}
    assert ObjectRef("subscription", subscription) in told
    for ref in told:
        assert await bench.gateway.fetch_events(ref) or ref.kind == "payment"
    missed = [each async for each in bench.gateway.list_events_since(EPOCH)]
    assert missed
    assert [each.occurred_at for each in missed] == sorted(each.occurred_at for each in missed)
    heard = {each.event_id: each for each in incoming}
    assert all(each.synthetic or heard[each.event_id] == each for each in missed)
    assert {each.ref for each in missed} >= {ObjectRef("subscription", subscription)}
    later = [each async for each in bench.gateway.list_events_since(clock.now() + timedelta(seconds=3600))]
    assert [each for each in later if not each.synthetic] == []


async def test_news_of_others_is_refused(bench: Bench):
    await subscribe(bench)
    now = clock.now()
    headers, body = (await bench.sent())[0]
    (name, right), *_ = [(name, value) for name, value in headers.items() if "signature" in name]
    *timestamps, signature = right.split(",v1=")
    stamp = timestamps[0] if timestamps else right
    wrong = ["", "v1=", "t=1", f"{stamp},v1=", f"{stamp},v1={signature[:-1]}", f"{stamp},v1={'0' * 64}", "é", "=,=,,"]
    wrong += [
        f"{stamp},v1={signature[:-1]}é",
        f"t=é,v1={signature}",
        f"t={'9' * 4000},v1={signature}",
        f",v1={signature}",
    ]
    for header in wrong:
        with pytest.raises(InvalidSignature):
            bench.gateway.parse_webhook({name: header}, body, now)
    for other in (b"", body + b" ", body.replace(b"id", b"ie", 1), b"\xff\xfe", b"[" * 100_000):
        with pytest.raises(InvalidSignature):
            bench.gateway.parse_webhook({name: right}, other, now)
    with pytest.raises(InvalidSignature):
        bench.gateway.parse_webhook({}, body, now)


async def test_old_news_and_news_from_the_future_is_refused(bench: Bench):
    await subscribe(bench)
    now = int(time.time())
    moment = EPOCH + timedelta(seconds=now)
    for off in (-299, 0, 299):
        headers, body = (await bench.sent(at=now + off))[0]
        assert bench.gateway.parse_webhook(headers, body, moment).event_id
    for off in (-31_536_000, -bench.oldest, 302, 31_536_000):
        headers, body = (await bench.sent(at=now + off))[0]
        with pytest.raises(InvalidSignature):
            bench.gateway.parse_webhook(headers, body, moment)
