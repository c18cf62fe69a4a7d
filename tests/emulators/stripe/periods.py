"""Subscriptions at the vendor: their periods, invoices, changes and ends."""

from datetime import UTC, datetime

from hortus.core.clock import add_months
from tests.emulators.stripe import shapes, till
from tests.emulators.stripe.books import Books, Thing
from tests.emulators.stripe.wire import Problem, declined

MONTHS = {"month": 1, "year": 12}
DAY = 86_400
TRIES = 3
OVER = ("canceled", "incomplete_expired")


def later(moment: int, interval: str) -> int:
    """The end of a period that begins then."""
    return int(add_months(datetime.fromtimestamp(moment, UTC), MONTHS[interval]).timestamp())


def item_of(subscription: Thing) -> Thing:
    """The one thing a subscription is for."""
    found: Thing = subscription["items"]["data"][0]
    return found


def subscribe(books: Books, session: Thing, price: Thing, params: Thing, *, method: str) -> Thing:
    """What a paid session of mode `subscription` begins."""
    now = books.now()
    trial = now + DAY * int(params["trial_period_days"]) if params.get("trial_period_days") else None
    end = trial or later(now, price["recurring"]["interval"])
    item = books.add("subscription_item", price=price, current_period_start=now, current_period_end=end, quantity=1)
    made = books.add(
        "subscription",
        customer=session["customer"],
        currency=price["currency"],
        metadata=dict(params.get("metadata", {})),
        status="trialing" if trial else "active",
        items=shapes.listed([item], "/v1/subscription_items"),
        billing_cycle_anchor=now,
        start_date=now,
        trial_start=now if trial else None,
        trial_end=trial,
        default_payment_method=till.card_of(books, session["customer"], method)["id"],
    )
    item["subscription"] = made["id"]
    coupon = session["discounts"][0]["coupon"] if session["discounts"] else None
    off = books.get("coupon", coupon)["amount_off"] if coupon else 0
    books.tell("customer.subscription.created", made)
    cost = 0 if trial else price["unit_amount"]
    bill(books, made, "subscription_create", [line(books, made, price, cost, now, end)], off=off, method=method)
    return made


def line(
    books: Books, subscription: Thing, price: Thing, amount: int, start: int, end: int, *, proration: bool = False
) -> Thing:
    """One line of an invoice."""
    details = {
        "subscription": subscription["id"],
        "subscription_item": item_of(subscription)["id"],
        "proration": proration,
    }
    return books.add(
        "line_item",
        amount=amount,
        subtotal=amount,
        currency=price["currency"],
        period={"start": start, "end": end},
        parent={"type": "subscription_item_details", "subscription_item_details": details},
        pricing={"type": "price_details", "price_details": {"price": price["id"], "product": price["product"]}},
        quantity=1,
    )


def draw_up(books: Books, subscription: Thing, reason: str, lines: list[Thing], *, off: int = 0) -> Thing:
    """An invoice that nobody was asked to pay yet."""
    subtotal = sum(each["amount"] for each in lines)
    due = max(0, subtotal - off)
    return shapes.make(
        "invoice",
        id=f"upcoming_{subscription['id']}",
        object="invoice",
        created=books.now(),
        billing_reason=reason,
        currency=subscription["currency"],
        customer=subscription["customer"],
        lines=shapes.listed(lines, "/v1/invoices/lines"),
        parent={
            "type": "subscription_details",
            "subscription_details": {"subscription": subscription["id"], "metadata": dict(subscription["metadata"])},
        },
        status="draft",
        subtotal=subtotal,
        total=subtotal - off,
        amount_due=due,
        amount_remaining=due,
    )


def bill(
    books: Books,
    subscription: Thing,
    reason: str,
    lines: list[Thing],
    *,
    off: int = 0,
    ok: bool = True,
    method: str = "card",
) -> Thing:
    """Write an invoice and ask for its money."""
    shown = draw_up(books, subscription, reason, lines, off=off)
    drawn = {name: value for name, value in shown.items() if name not in ("id", "object")}
    made = books.add("invoice", **{**drawn, "status": "open"})
    subscription["latest_invoice"] = made["id"]
    books.tell("invoice.created", made)
    if made["amount_due"]:
        intent = till.intend(books, made["amount_due"], made["currency"], made["customer"])
        asked = {"amount_requested": made["amount_due"], "currency": made["currency"], "is_default": True}
        paying = {"type": "payment_intent", "payment_intent": intent["id"]}
        books.add("invoice_payment", invoice=made["id"], status="open", payment=paying, **asked)
    collect(books, subscription, made, ok=ok, method=method)
    return made


def collect(books: Books, subscription: Thing, invoice: Thing, *, ok: bool, method: str = "card") -> None:
    """Try to take the money of an invoice, again or for the first time."""
    paying = next(iter(books.all("invoice_payment", lambda each: each["invoice"] == invoice["id"])), None)
    ok = ok or paying is None
    if paying is not None:
        invoice["attempt_count"] += 1
        till.take(books, books.get("payment_intent", paying["payment"]["payment_intent"]), ok=ok, method=method)
    invoice["attempted"] = True
    if not ok:
        invoice["next_payment_attempt"] = books.now() + DAY if invoice["attempt_count"] < TRIES else None
        subscription["status"] = "past_due"
        books.tell("invoice.payment_failed", invoice)
        books.tell("customer.subscription.updated", subscription)
        return
    if paying is not None:
        paying.update(status="paid", amount_paid=invoice["amount_due"])
    invoice.update(status="paid", amount_paid=invoice["amount_due"], amount_remaining=0, next_payment_attempt=None)
    invoice["status_transitions"]["paid_at"] = books.now()
    books.tell("invoice.paid", invoice)


def renew(books: Books, subscription: Thing, *, ok: bool = True) -> None:
    """The period is over, or said to be: ask for the next one's money, ask again, or end."""
    if subscription["status"] in OVER:
        return
    item, waiting = item_of(subscription), _open_invoice(books, subscription)
    if subscription["cancel_at_period_end"] or subscription["cancel_at"] is not None:
        end(books, subscription)
    elif waiting is not None:
        collect(books, subscription, waiting, ok=ok)
        if not ok and waiting["attempt_count"] >= TRIES:
            waiting["status"] = "uncollectible"
            end(books, subscription)
        elif ok:
            subscription["status"] = "active"
            books.tell("customer.subscription.updated", subscription)
    else:
        _next_phase(books, subscription)
        start = item["current_period_end"]
        item.update(current_period_start=start, current_period_end=later(start, item["price"]["recurring"]["interval"]))
        subscription["status"] = "active"
        books.tell("customer.subscription.updated", subscription)
        price = item["price"]
        lines = [line(books, subscription, price, price["unit_amount"], start, item["current_period_end"])]
        bill(books, subscription, "subscription_cycle", lines, ok=ok)


def _open_invoice(books: Books, subscription: Thing) -> Thing | None:
    def fits(each: Thing) -> bool:
        return bool(each["status"] == "open" and each["id"] == subscription["latest_invoice"])

    return next(iter(books.all("invoice", fits)), None)


def _next_phase(books: Books, subscription: Thing) -> None:
    if subscription["schedule"] is None:
        return
    schedule = books.get("subscription_schedule", subscription["schedule"])
    item_of(subscription)["price"] = books.get("price", schedule["phases"][1]["items"][0]["price"])
    schedule.update(status="released", released_subscription=subscription["id"], subscription=None)
    subscription["schedule"] = None


def end(books: Books, subscription: Thing) -> None:
    """For good."""
    now = books.now()
    subscription.update(status="canceled", canceled_at=subscription["canceled_at"] or now, ended_at=now)
    books.tell("customer.subscription.deleted", subscription)


def change_lines(books: Books, subscription: Thing, price: Thing) -> tuple[list[Thing], int, int]:
    """The lines of a change now, and the period that is bought with it."""
    item, now = item_of(subscription), books.now()
    old, start, until = item["price"], item["current_period_start"], item["current_period_end"]
    if price["currency"] != old["currency"]:
        raise Problem(400, "currency_mismatch", "All prices on a subscription must use the same currency.")
    long = max(1, until - start)
    left = min(max(0, until - now), long)
    same = price["recurring"]["interval"] == old["recurring"]["interval"]
    begins, ends = (start, until) if same else (now, later(now, price["recurring"]["interval"]))
    if subscription["status"] == "trialing":
        return [], start, until
    cost = price["unit_amount"] * left // long if same else price["unit_amount"]
    lines = [
        line(books, subscription, old, -(old["unit_amount"] * left // long), now, until, proration=True),
        line(books, subscription, price, cost, now, ends, proration=same),
    ]
    return lines, begins, ends


def change(books: Books, subscription: Thing, price: Thing, params: Thing, *, ok: bool) -> None:
    """Another price. One of another interval begins a period at once, whatever is prorated."""
    item = item_of(subscription)
    if price["id"] == item["price"]["id"]:
        return
    prorated = params.get("proration_behavior") == "always_invoice"
    lines, start, until = change_lines(books, subscription, price)
    same = price["recurring"]["interval"] == item["price"]["recurring"]["interval"]
    if not prorated:
        lines = [] if same or subscription["status"] == "trialing" else lines[1:]
    if lines and not ok and sum(each["amount"] for each in lines) > 0:
        raise declined()
    item.update(price=price, current_period_start=start, current_period_end=until)
    books.tell("customer.subscription.updated", subscription)
    if lines:
        bill(books, subscription, "subscription_update", lines)
