"""Events of one-time purchases, refunds and disputes at Stripe."""

from typing import TYPE_CHECKING

from hortus.payments.base import (
    CheckoutExpired,
    CheckoutPaid,
    Disputed,
    DisputeStatus,
    Paid,
    PaymentEvent,
    PaymentFailed,
    Refunded,
)
from hortus.payments.stripe.currencies import minor
from hortus.payments.stripe.objects import PAGE, id_of, moment, reference_of

if TYPE_CHECKING:
    from stripe import Charge, PaymentIntent, StripeClient
    from stripe.checkout import Session

DISPUTES: dict[str, DisputeStatus] = {
    "needs_response": "open",
    "under_review": "open",
    "appeal_needs_response": "open",
    "appeal_under_review": "open",
    "won": "won",
    "lost": "lost",
}
"""Statuses in which money was withdrawn. An inquiry (`warning_…`) and a prevented dispute withdraw none."""
UNPAYABLE = ("requires_payment_method", "canceled")
UNPAID_REFUND_STATUSES = ("failed", "canceled", "requires_action")


async def of_session(client: "StripeClient", session: "Session") -> list[PaymentEvent]:
    """Events of a one-time checkout session; its intent and the latest charge must be expanded."""
    reference = reference_of(session)
    if reference is None:
        return []
    if session.status == "expired":
        return [CheckoutExpired(reference)]
    intent = session.payment_intent
    if intent is None:
        return _of_nothing_due(session, reference)
    if isinstance(intent, str):
        raise ValueError("the intent was not expanded")
    events = await of_intent(client, intent, reference)
    if session.status == "complete" and intent.status in UNPAYABLE:
        events.append(CheckoutExpired(reference))  # a delayed payment method failed, and the session is closed
    return events


def _of_nothing_due(session: "Session", reference: str) -> list[PaymentEvent]:
    """Events of a session whose discount leaves nothing to pay: Stripe then records no payment."""
    if session.mode != "payment" or session.status != "complete" or session.payment_status == "unpaid":
        return []
    currency = session.currency or ""
    total = minor(session.amount_total or 0, currency)
    paid = Paid(session.id, total, currency.upper(), moment(session.created))
    return [CheckoutPaid(reference, paid, id_of(session.customer))]


async def of_intent(client: "StripeClient", intent: "PaymentIntent", reference: str) -> list[PaymentEvent]:
    """Events of a payment intent; its latest charge must be expanded."""
    charge = intent.latest_charge
    if isinstance(charge, str):
        raise ValueError("the charge was not expanded")
    if intent.status == "succeeded" and charge is not None:
        received = minor(intent.amount_received, intent.currency)
        paid = Paid(intent.id, received, intent.currency.upper(), moment(charge.created), method_of(charge))
        return [CheckoutPaid(reference, paid, id_of(intent.customer)), *await undone(client, charge, intent.id)]
    if intent.last_payment_error is not None:
        error = intent.last_payment_error
        reason = error.decline_code or error.code or "payment_failed"
        failed_at = moment((charge or intent).created)
        return [PaymentFailed(charge.id if charge else intent.id, reason, failed_at, reference=reference)]
    return []


async def undone(client: "StripeClient", charge: "Charge", payment: str) -> list[PaymentEvent]:
    """The refunds and disputes of a charge; `payment` is the external id of its payment."""
    events: list[PaymentEvent] = []
    if charge.amount_refunded:
        refunds = await client.v1.refunds.list_async({"charge": charge.id, "limit": PAGE})
        events += [
            Refunded(each.id, payment, minor(each.amount, each.currency), each.currency.upper(), moment(each.created))
            async for each in refunds.auto_paging_iter()
            if each.status not in UNPAID_REFUND_STATUSES
        ]
    if charge.disputed:
        disputes = await client.v1.disputes.list_async({"charge": charge.id, "limit": PAGE})
        events += [
            Disputed(
                each.id,
                payment,
                minor(each.amount, each.currency),
                each.currency.upper(),
                DISPUTES[each.status],
                moment(each.created),
            )
            async for each in disputes.auto_paging_iter()
            if each.status in DISPUTES
        ]
    return events


def method_of(charge: "Charge") -> str | None:
    """The payment method: `card`, `upi`, …"""
    details = charge.payment_method_details
    return details.type if details is not None else None
