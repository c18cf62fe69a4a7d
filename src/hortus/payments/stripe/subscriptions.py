"""Events of a subscription at Stripe: its state, paid periods, refunds, disputes and the latest failure.

In Stripe's API the period is on the subscription's item, the subscription of an invoice under its `parent`, the
payments of an invoice in a list of their own, and the price of a line under its `pricing`.
"""

from collections import defaultdict
from typing import TYPE_CHECKING

from hortus.payments.base import (
    CheckoutExpired,
    Paid,
    PaymentEvent,
    PaymentFailed,
    SubscriptionChanged,
    SubscriptionRenewed,
    SubscriptionState,
    SubscriptionStatus,
)
from hortus.payments.stripe.currencies import minor
from hortus.payments.stripe.objects import PAGE, id_of, moment, reference_of, sure_id
from hortus.payments.stripe.payments import method_of, undone

if TYPE_CHECKING:
    from stripe import Charge, Invoice, InvoiceLineItem, StripeClient, Subscription

STATUSES: dict[str, SubscriptionStatus] = {
    "trialing": "trialing",
    "active": "active",
    "past_due": "past_due",
    "unpaid": "past_due",
    "paused": "past_due",
    "canceled": "ended",
}
"""`incomplete` is missing on purpose: its first payment is pending, so there is no subscription yet."""
OF_PERIODS = ("subscription_create", "subscription_cycle", "subscription_update")
"""Billing reasons of invoices that pay a period; manual invoices of the operator buy nothing here."""
Charges = dict[str, list["Charge"]]


async def of_subscription(client: "StripeClient", subscription_id: str) -> list[PaymentEvent]:
    """All events of a subscription. Raises InvalidRequestError if it does not exist."""
    found = await client.v1.subscriptions.retrieve_async(subscription_id, {"expand": ["schedule"]})
    reference = reference_of(found)
    if found.status == "incomplete_expired" and reference is not None:
        return [CheckoutExpired(reference)]
    if found.status not in STATUSES:
        return []
    invoices = await _invoices(client, found.id)
    charges = await _charges(client, sure_id(found.customer)) if invoices else {}
    events: list[PaymentEvent] = [SubscriptionChanged(_state(found, reference))]
    for invoice in invoices:
        renewed = _renewed(invoice, found.id, reference, charges)
        if renewed is not None:
            events.append(renewed)
            payment = renewed.payment.external_id
            for charge in charges.get(payment, ()):
                events += await undone(client, charge, payment)
    failed = next((each for each in reversed(invoices) if _has_failed(each)), None)
    if failed is not None:
        events.append(_failure(failed, found.id, charges))
    return events


def _state(found: "Subscription", reference: str | None) -> SubscriptionState:
    item = found.items.data[0]
    ends = found.cancel_at_period_end or (found.cancel_at is not None and found.cancel_at <= item.current_period_end)
    return SubscriptionState(
        found.id,
        reference,
        STATUSES[found.status],
        _coming_price(found) or item.price.id,
        moment(item.current_period_start),
        moment(item.current_period_end),
        bool(ends),
        moment(found.trial_end) if found.trial_end is not None else None,
        id_of(found.customer),
    )


def _coming_price(found: "Subscription") -> str | None:
    """The price of the next period, if a schedule changes it."""
    schedule = found.schedule
    if schedule is None or isinstance(schedule, str) or schedule.current_phase is None:
        return None
    coming = [each for each in schedule.phases if each.start_date >= schedule.current_phase.end_date]
    return id_of(coming[0].items[0].price) if coming and schedule.status == "active" else None


async def _invoices(client: "StripeClient", subscription: str) -> list["Invoice"]:
    """The invoices that pay periods, oldest first."""
    listed = await client.v1.invoices.list_async(
        {"subscription": subscription, "limit": PAGE, "expand": ["data.payments"]}
    )
    found = [each async for each in listed.auto_paging_iter() if each.billing_reason in OF_PERIODS]
    return found[::-1]


async def _charges(client: "StripeClient", customer: str) -> Charges:
    """All charges of a customer by payment, newest first: one list call instead of one per invoice."""
    found: Charges = defaultdict(list)
    listed = await client.v1.charges.list_async({"customer": customer, "limit": PAGE})
    async for each in listed.auto_paging_iter():
        found[id_of(each.payment_intent) or each.id].append(each)
    return found


def _renewed(
    invoice: "Invoice", subscription: str, reference: str | None, charges: Charges
) -> SubscriptionRenewed | None:
    line = _bought(invoice)
    if invoice.status != "paid" or line is None:
        return None
    payment = _payment_of(invoice, "paid") or invoice.id  # without a payment, a balance or discount covered it
    taken = next((each for each in charges.get(payment, ()) if each.paid), None)
    paid_at = invoice.status_transitions.paid_at or invoice.created
    return SubscriptionRenewed(
        subscription,
        reference,
        Paid(
            payment,
            minor(invoice.amount_paid, invoice.currency),
            invoice.currency.upper(),
            moment(paid_at),
            method_of(taken) if taken is not None else None,
        ),
        _price_of(line),
        moment(line.period.start),
        moment(line.period.end),
        changed=invoice.billing_reason == "subscription_update",
    )


def _bought(invoice: "Invoice") -> "InvoiceLineItem | None":
    """The line of the purchased period; other lines credit unused time. None for the start of a trial."""
    costly = [each for each in invoice.lines.data if each.amount > 0 and each.pricing is not None]
    return max(costly, key=lambda each: (each.period.end, each.period.start), default=None)


def _price_of(line: "InvoiceLineItem") -> str:
    details = line.pricing.price_details if line.pricing is not None else None
    if details is None:
        raise ValueError("a line without a price")
    return sure_id(details.price)


def _payment_of(invoice: "Invoice", status: str) -> str | None:
    listed = invoice.payments.data if invoice.payments is not None else []
    fitting = [each.payment for each in listed if each.status == status]
    return next((id_of(each.payment_intent) or id_of(each.charge) for each in fitting), None)


def _has_failed(invoice: "Invoice") -> bool:
    return invoice.status in ("open", "uncollectible") and invoice.attempt_count > 0


def _failure(invoice: "Invoice", subscription: str, charges: Charges) -> PaymentFailed:
    """The latest attempt to pay an open invoice."""
    payment = _payment_of(invoice, "open")
    tried = next((each for each in charges.get(payment or "", ()) if each.status == "failed"), None)
    retry_at = moment(invoice.next_payment_attempt) if invoice.next_payment_attempt is not None else None
    return PaymentFailed(
        f"{invoice.id}:{invoice.attempt_count}",
        (tried.failure_code if tried is not None else None) or "payment_action_required",
        moment(tried.created if tried is not None else invoice.created),
        subscription,
        retry_at=retry_at,
    )
