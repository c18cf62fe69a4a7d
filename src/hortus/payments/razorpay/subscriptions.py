"""Read, create, change and cancel subscriptions at Razorpay."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hortus.core import clock, ids
from hortus.payments.base import (
    CheckoutSession,
    GatewayRefused,
    Interval,
    Order,
    Paid,
    Proration,
    RecurringPrice,
    SubscriptionChanged,
    SubscriptionRenewed,
    SubscriptionState,
    SubscriptionStatus,
)
from hortus.payments.razorpay.client import Client, Entity
from hortus.payments.razorpay.objects import moment, whole

PERIODS: dict[Interval, str] = {"month": "monthly", "year": "yearly"}
TOTAL_PERIODS = {"monthly": 120, "yearly": 10}
"""Number of periods. Razorpay requires an end: ten years is the longest mandate that all banks accept."""
OVER = ("cancelled", "expired", "completed")
LATE = ("pending", "halted")
STATUSES: dict[str, SubscriptionStatus] = {
    "authenticated": "trialing",
    "active": "active",
    "pending": "past_due",
    "halted": "past_due",  # a new card reactivates it, so it has not ended
    "paused": "past_due",
    "cancelled": "ended",
    "expired": "ended",
    "completed": "ended",
}


# What is true ----------------------------------------------------------------


def never_began(subscription: Entity) -> bool:
    """Whether no buyer ever authorised it, or its first payment is pending."""
    status = subscription["status"]
    if status == "authenticated":
        return _trial_end(subscription) is None  # the first payment is in progress
    return status == "created" or (status in OVER and not subscription.get("customer_id"))


def changed(subscription: Entity, reference: str) -> SubscriptionChanged:
    """The state of a subscription. Razorpay does not report a pending cancellation (razorpay-node issue 330)."""
    status = STATUSES.get(subscription["status"])
    if status is None:
        raise ValueError("a state that is not known")
    start = moment(subscription.get("current_start") or subscription["created_at"])
    trial_end = _trial_end(subscription)
    ends = subscription.get("current_end") or subscription.get("start_at") or subscription.get("charge_at")
    end = moment(ends) if ends else start
    last = subscription["status"] == "completed" and end > clock.now()
    return SubscriptionChanged(
        SubscriptionState(
            subscription["id"],
            reference,
            "active" if last else status,
            subscription["plan_id"],
            start,
            end,
            True if last else None,
            trial_end,
            subscription.get("customer_id") or None,
        )
    )


def renewed(
    subscription: Entity, reference: str, invoice: Entity, paid: Paid, price: str, before: Entity | None
) -> SubscriptionRenewed:
    """A paid period; if it begins within the period of the invoice `before`, it is the cost of a change."""
    start = invoice.get("billing_start") or subscription.get("current_start") or invoice["issued_at"]
    end = invoice.get("billing_end") or subscription.get("current_end") or start
    within = before is not None and before.get("billing_end") is not None and start < before["billing_end"]
    return SubscriptionRenewed(
        subscription["id"],
        reference,
        Paid(paid.external_id, paid.amount_minor, paid.currency, moment(invoice.get("paid_at") or 0), paid.method)
        if invoice.get("paid_at")
        else paid,
        price,
        moment(start),
        moment(end),
        within,
    )


async def price_of(client: Client, subscription: Entity, invoice: Entity) -> str:
    """The plan of an invoice: that of the subscription, unless the invoice line matches an earlier one."""
    lines = invoice.get("line_items") or []
    line = lines[0] if lines else {}
    now = await client.plan(subscription["plan_id"])
    if _fits(now, line):
        return str(now["id"])
    async for plan in client.each("plans"):
        if _fits(plan, line):
            return str(plan["id"])
    return str(now["id"])  # the cost of a change matches no plan


def _fits(plan: Entity, line: Entity) -> bool:
    item = plan["item"]
    return all(line.get(name) == item.get(name) for name in ("name", "currency")) and item["amount"] in (
        line.get("unit_amount"),
        line.get("amount"),
    )


def _trial_end(subscription: Entity) -> datetime | None:
    """The end of the trial, from the notes that only we can write."""
    found = subscription["notes"].get("trial_until")
    return datetime.fromtimestamp(int(found), UTC) if found else None


# What is done ----------------------------------------------------------------


async def make_plan(client: Client, price: RecurringPrice) -> str:
    """Create the plan of a price. The call has no idempotency key: search first, and the oldest plan wins."""
    found = await _plan_for(client, price.id)
    if found is None:
        period = PERIODS[price.interval]
        item = {"name": f"{price.title}, {period}", "amount": price.amount_minor, "currency": price.currency}
        made = await client.post(
            "plans", {"period": period, "interval": 1, "item": item, "notes": {"reference": price.id}}
        )
        found = await _plan_for(client, price.id) or str(made["id"])
    return found


async def _plan_for(client: Client, reference: str) -> str | None:
    found = [
        (each["created_at"], each["id"])
        async for each in client.each("plans")
        if isinstance(each.get("notes"), dict) and each["notes"].get("reference") == reference
    ]
    return str(min(found)[1]) if found else None


async def begin(client: Client, order: Order, price: str) -> tuple[CheckoutSession, Entity]:
    """Create a subscription that the buyer has to authorise, once per order."""
    made: Entity | None = None
    async for each in client.each("subscriptions", plan_id=price, **{"from": _written(order.id)}):
        if isinstance(each.get("notes"), dict) and each["notes"].get("reference") == order.id:
            made = each
    if made is None:
        body: Entity = {
            "plan_id": price,
            "total_count": TOTAL_PERIODS[(await client.plan(price))["period"]],
            "quantity": 1,
            "customer_notify": True,
            "notes": {"reference": order.id},
        }
        if order.trial_days:
            starts = int((clock.now() + timedelta(days=order.trial_days)).timestamp())
            body |= {"start_at": starts, "notes": {"reference": order.id, "trial_until": str(starts)}}
        made = await client.post("subscriptions", body)
    return CheckoutSession(made["id"], url=made.get("short_url") or None), made


def _written(order_id: str) -> int:
    """A lower bound of the creation time of an order, from its id; 0 if the id contains no time."""
    milliseconds = UUID(order_id).int >> 80 if ids.is_id(order_id) else 0
    return max(0, milliseconds // 1000 - 300)


async def close(client: Client, id: str) -> None:
    """Cancel a subscription that was not authorised. Raises GatewayRefused if it was."""
    found = await client.find("subscriptions", id)
    if found is None or found["status"] in OVER:
        return
    if found["status"] != "created":
        raise GatewayRefused("the subscription has begun")
    await client.post(f"subscriptions/{id}/cancel", {"cancel_at_cycle_end": False})


async def preview(client: Client, id: str, price: str) -> Proration:
    """The prorated cost of a change now. Razorpay has no preview, so it is computed here."""
    found = await _running(client, id)
    old, new = await client.plan(found["plan_id"]), await client.plan(price)
    if new["item"]["currency"] != old["item"]["currency"]:
        raise GatewayRefused("a subscription keeps its currency")
    currency = new["item"]["currency"].upper()
    if found["status"] == "authenticated":
        return Proration(0, 0, currency)
    if found["status"] != "active":
        raise GatewayRefused("only a subscription that is paid can be changed")
    start, end = whole(found["current_start"]), whole(found["current_end"])
    lasts = max(1, end - start)
    left = min(max(0, end - int(clock.now().timestamp())), lasts)
    unused = whole(old["item"]["amount"]) * left // lasts
    cost = whole(new["item"]["amount"])
    if new["period"] == old["period"]:
        cost = cost * left // lasts
    return Proration(max(0, cost - unused), unused, currency)


async def change(client: Client, id: str, price: str, *, now: bool) -> None:
    """Change the plan, now or from the next period on; idempotent."""
    found = await _running(client, id)
    if found["plan_id"] == price:
        if found.get("has_scheduled_changes"):
            await client.post(f"subscriptions/{id}/cancel_scheduled_changes", {})
        return
    if not now and found.get("has_scheduled_changes"):
        coming = await client.get(f"subscriptions/{id}/retrieve_scheduled_changes")
        if coming.get("plan_id") == price:
            return
    body: Entity = {"plan_id": price, "schedule_change_at": "now" if now else "cycle_end", "customer_notify": True}
    old, new = await client.plan(found["plan_id"]), await client.plan(price)
    if new["period"] != old["period"]:
        body["remaining_count"] = TOTAL_PERIODS[new["period"]]
    await client.patch(f"subscriptions/{id}", body)


async def cancel(client: Client, id: str, *, now: bool) -> None:
    """Cancel now or at the end of the period; without a paid period, now. Idempotent."""
    found = await client.find("subscriptions", id)
    if found is None:
        raise GatewayRefused("there is no such subscription")
    if found["status"] in OVER:
        return
    later = not now and found["status"] == "active"
    try:
        await client.post(f"subscriptions/{id}/cancel", {"cancel_at_cycle_end": later})
    except GatewayRefused:
        again = await client.find("subscriptions", id)
        if again is None or again["status"] not in OVER:
            raise


async def _running(client: Client, id: str) -> Entity:
    found = await client.find("subscriptions", id)
    if found is None or found["status"] in OVER:
        raise GatewayRefused("there is no such subscription, or it has ended")
    return found
