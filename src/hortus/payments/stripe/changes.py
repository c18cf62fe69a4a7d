"""Change, cancel and resume subscriptions at Stripe.

A change at the end of the period to a price of another interval needs a subscription schedule: otherwise Stripe
starts and charges the new period at once. Any other change, and a cancellation, releases the schedule first.
"""

from typing import TYPE_CHECKING, cast

from hortus.payments.base import GatewayRefused, Interval, Proration
from hortus.payments.stripe.currencies import minor
from hortus.payments.stripe.errors import is_missing
from hortus.payments.stripe.objects import id_of

if TYPE_CHECKING:
    from stripe import StripeClient, Subscription

OVER = ("canceled", "incomplete_expired")


async def preview(client: "StripeClient", subscription: str, price: str) -> Proration:
    """The cost of changing to that price now."""
    found = await _running(client, subscription)
    shown = await client.v1.invoices.create_preview_async(
        {
            "subscription": found.id,
            "subscription_details": {
                "items": [{"id": found.items.data[0].id, "price": price}],
                "proration_behavior": "always_invoice",
            },
        }
    )
    unused = -sum(line.amount for line in shown.lines.data if line.amount < 0)
    due, currency = max(0, shown.amount_due), shown.currency
    return Proration(minor(due, currency), minor(unused, currency), currency.upper())


async def change(client: "StripeClient", subscription: str, price: str, *, now: bool, key: str) -> None:
    """Change the price: now, with immediate payment, or from the next period on."""
    found = await _running(client, subscription)
    item = found.items.data[0]
    if now:
        await _release(client, found)
        await client.v1.subscriptions.update_async(
            found.id,
            {
                "items": [{"id": item.id, "price": price}],
                "proration_behavior": "always_invoice",
                "payment_behavior": "error_if_incomplete",
            },
            {"idempotency_key": key},
        )
        return
    if found.status == "trialing" or item.price.id == price or await _lasts_as_long(client, item.price.id, price):
        await _release(client, found)
        await client.v1.subscriptions.update_async(
            found.id,
            {"items": [{"id": item.id, "price": price}], "proration_behavior": "none"},
            {"idempotency_key": key},
        )
        return
    await _schedule(client, found, price, key)


async def _lasts_as_long(client: "StripeClient", one: str, other: str) -> bool:
    return await _interval(client, one) == await _interval(client, other)


async def _interval(client: "StripeClient", price: str) -> Interval:
    found = await client.v1.prices.retrieve_async(price)
    if found.recurring is None:
        raise GatewayRefused("the price is not a recurring one")
    return cast("Interval", found.recurring.interval)


async def _schedule(client: "StripeClient", found: "Subscription", price: str, key: str) -> None:
    item = found.items.data[0]
    card = id_of(found.default_payment_method)  # a schedule would fall back to the customer's default, which is not set
    schedule = id_of(found.schedule)
    if schedule is None:
        made = await client.v1.subscription_schedules.create_async(
            {"from_subscription": found.id}, {"idempotency_key": f"{key}:schedule"}
        )
        schedule = made.id
    await client.v1.subscription_schedules.update_async(
        schedule,
        {
            "end_behavior": "release",
            "default_settings": {"default_payment_method": card} if card is not None else {},
            "proration_behavior": "none",
            "phases": [
                {
                    "items": [{"price": item.price.id, "quantity": 1}],
                    "start_date": item.current_period_start,
                    "end_date": item.current_period_end,
                    "proration_behavior": "none",
                },
                {
                    "items": [{"price": price, "quantity": 1}],
                    "duration": {"interval": await _interval(client, price), "interval_count": 1},
                    "proration_behavior": "none",
                },
            ],
        },
        {"idempotency_key": f"{key}:phases"},
    )


async def cancel(client: "StripeClient", subscription: str, *, now: bool, key: str) -> None:
    """Cancel now or at the end of the period; idempotent."""
    import stripe  # noqa: PLC0415 - half a second, only where Stripe is used

    found = await client.v1.subscriptions.retrieve_async(subscription)
    if found.status in OVER:
        return
    await _release(client, found)
    if not now:
        if not ends_with_its_period(found):
            await client.v1.subscriptions.update_async(
                found.id, {"cancel_at_period_end": True}, {"idempotency_key": key}
            )
        return
    try:
        await client.v1.subscriptions.cancel_async(found.id, {"invoice_now": False, "prorate": False})
    except stripe.InvalidRequestError as error:
        again = await client.v1.subscriptions.retrieve_async(subscription)
        if not is_missing(error) or again.status not in OVER:
            raise


async def resume(client: "StripeClient", subscription: str, *, key: str) -> None:
    """Revoke a cancellation; idempotent."""
    found = await _running(client, subscription)
    if found.cancel_at_period_end:
        await client.v1.subscriptions.update_async(found.id, {"cancel_at_period_end": False}, {"idempotency_key": key})
    elif found.cancel_at is not None:  # set by the customer portal instead of `cancel_at_period_end`
        await client.v1.subscriptions.update_async(found.id, {"cancel_at": ""}, {"idempotency_key": key})


def ends_with_its_period(found: "Subscription") -> bool:
    """Whether the subscription is cancelled at the end of its period."""
    if found.cancel_at_period_end:
        return True
    return found.cancel_at is not None and found.cancel_at <= found.items.data[0].current_period_end


async def _running(client: "StripeClient", subscription: str) -> "Subscription":
    found = await client.v1.subscriptions.retrieve_async(subscription)
    if found.status in OVER:
        raise GatewayRefused("the subscription has ended")
    return found


async def _release(client: "StripeClient", found: "Subscription") -> None:
    """Release a subscription from its schedule: Stripe rejects changes while it is attached to one."""
    schedule = id_of(found.schedule)
    if schedule is not None:
        await client.v1.subscription_schedules.release_async(schedule)
