"""Fetch the state of an object from Stripe as payment events. Nothing is cached."""

from typing import TYPE_CHECKING

from hortus.payments.base import ObjectRef, PaymentEvent
from hortus.payments.stripe.errors import is_missing
from hortus.payments.stripe.objects import id_of, reference_of
from hortus.payments.stripe.payments import of_intent, of_session
from hortus.payments.stripe.subscriptions import of_subscription

if TYPE_CHECKING:
    from stripe import StripeClient


async def fetch_events(client: "StripeClient", ref: ObjectRef) -> list[PaymentEvent]:
    """The current state of an object as events, causes before effects; empty if Stripe has no such object."""
    import stripe  # noqa: PLC0415 - half a second, only where Stripe is used

    try:
        match ref.kind:
            case "checkout":
                return await _of_checkout(client, ref.external_id)
            case "subscription":
                return await of_subscription(client, ref.external_id)
            case "payment":
                return await _of_payment(client, ref.external_id)
    except stripe.InvalidRequestError as error:
        if is_missing(error):
            return []
        raise


async def _of_checkout(client: "StripeClient", session_id: str) -> list[PaymentEvent]:
    session = await client.v1.checkout.sessions.retrieve_async(session_id, {"expand": ["payment_intent.latest_charge"]})
    subscription = id_of(session.subscription)
    if subscription is not None:
        return await of_subscription(client, subscription)
    return await of_session(client, session)


async def _of_payment(client: "StripeClient", payment_id: str) -> list[PaymentEvent]:
    if payment_id.startswith(("ch_", "py_")):
        charge = await client.v1.charges.retrieve_async(payment_id)
        whole = id_of(charge.payment_intent)
        return await _of_payment(client, whole) if whole is not None else []
    if payment_id.startswith("cs_"):
        return await _of_checkout(client, payment_id)
    if payment_id.startswith("in_"):
        return await _of_invoice(client, payment_id)
    intent = await client.v1.payment_intents.retrieve_async(payment_id, {"expand": ["latest_charge"]})
    reference = reference_of(intent)
    if reference is not None:
        return await of_intent(client, intent, reference)
    listed = await client.v1.invoice_payments.list_async(
        {"payment": {"type": "payment_intent", "payment_intent": payment_id}}
    )
    invoice = id_of(listed.data[0].invoice) if listed.data else None
    return await _of_invoice(client, invoice) if invoice is not None else []


async def _of_invoice(client: "StripeClient", invoice_id: str) -> list[PaymentEvent]:
    invoice = await client.v1.invoices.retrieve_async(invoice_id)
    details = invoice.parent.subscription_details if invoice.parent is not None else None
    subscription = id_of(details.subscription) if details is not None else None
    return await of_subscription(client, subscription) if subscription is not None else []
