"""Create prices, customers, checkout sessions, off-session charges and refunds at Stripe.

Idempotency keys are built from our ids. The expiry of a session is left to Stripe (one day): an expiry of ours would
differ in a retry, and Stripe rejects a key that is reused with other parameters.
"""

import hashlib
import json
from typing import TYPE_CHECKING

from hortus.payments.base import Buyer, CheckoutSession, Declined, GatewayRefused, Order, RecurringPrice
from hortus.payments.stripe.currencies import units
from hortus.payments.stripe.errors import is_missing
from hortus.payments.stripe.objects import REFERENCE

if TYPE_CHECKING:
    from stripe import Price, StripeClient
    from stripe.params import CustomerCreateParams
    from stripe.params.checkout import SessionCreateParams


async def make_price(client: "StripeClient", price: RecurringPrice) -> str:
    """Find the price by our id, or create it with its product; return Stripe's id."""
    listed = await client.v1.prices.list_async({"lookup_keys": [price.id], "limit": 1})
    found = listed.data[0] if listed.data else None
    if found is not None:
        if not _is_same(found, price):
            raise GatewayRefused(f"the price {found.id} at Stripe has our key, but other terms")
        if not found.active:
            await client.v1.prices.update_async(found.id, {"active": True})
        return found.id
    made = await client.v1.prices.create_async(
        {
            "lookup_key": price.id,
            "nickname": price.id,
            "currency": price.currency.lower(),
            "unit_amount": units(price.amount_minor, price.currency),
            "recurring": {"interval": price.interval},
            "product_data": {"name": price.title, "metadata": {"hortus_price": price.id}},
            "metadata": {"hortus_price": price.id},
        },
        {"idempotency_key": f"price:{price.id}"},
    )
    return made.id


def _is_same(found: "Price", price: RecurringPrice) -> bool:
    interval = found.recurring.interval if found.recurring is not None else None
    terms = (units(price.amount_minor, price.currency), price.currency.lower(), price.interval)
    return (found.unit_amount, found.currency, interval) == terms


async def start(client: "StripeClient", order: Order) -> CheckoutSession:
    """Open a checkout session, idempotently per order. A customer that was deleted at Stripe is created again."""
    import stripe  # noqa: PLC0415 - half a second, only where Stripe is used

    customer = order.buyer.customer
    if customer is not None:
        try:
            return await _open(client, order, customer)
        except stripe.InvalidRequestError as error:
            if not is_missing(error) or error.param != "customer":
                raise
    return await _open(client, order, await _make_customer(client, order.buyer))


async def _make_customer(client: "StripeClient", buyer: Buyer) -> str:
    import stripe  # noqa: PLC0415 - half a second, only where Stripe is used

    params: CustomerCreateParams = {"metadata": {"hortus_user": buyer.user_id}}
    if buyer.email:
        params["email"] = buyer.email
    if buyer.mobile:
        params["phone"] = buyer.mobile
    if buyer.name:
        params["name"] = buyer.name[:256]
    try:
        return await _save_customer(client, buyer, params)
    except stripe.InvalidRequestError as error:
        if error.param not in ("email", "phone", "name"):
            raise
        # Stripe rejects some valid addresses: create the customer without one, its page asks for it.
        return await _save_customer(client, buyer, {"metadata": {"hortus_user": buyer.user_id}})


async def _save_customer(client: "StripeClient", buyer: Buyer, params: "CustomerCreateParams") -> str:
    # Other parameters need another idempotency key.
    digest = hashlib.sha256(json.dumps([params, buyer.customer], sort_keys=True).encode()).hexdigest()[:16]
    made = await client.v1.customers.create_async(params, {"idempotency_key": f"customer:{buyer.user_id}:{digest}"})
    return made.id


async def _open(client: "StripeClient", order: Order, customer: str) -> CheckoutSession:
    session: SessionCreateParams = {
        "customer": customer,
        "client_reference_id": order.id,
        "metadata": {REFERENCE: order.id},
        "success_url": order.success_url,
        "cancel_url": order.cancel_url,
    }
    if order.price is not None:
        session["mode"] = "subscription"
        session["line_items"] = [{"price": order.price, "quantity": 1}]
        session["subscription_data"] = {"metadata": {REFERENCE: order.id}}
        if order.trial_days:
            session["subscription_data"]["trial_period_days"] = order.trial_days
        if order.discount_minor:
            session["discounts"] = [{"coupon": await _make_coupon(client, order)}]
    else:
        session["mode"] = "payment"
        session["line_items"] = [
            {
                "price_data": {
                    "currency": order.currency.lower(),
                    "unit_amount": units(order.amount_minor, order.currency),
                    "product_data": {"name": order.title},
                },
                "quantity": 1,
            }
        ]
        session["payment_intent_data"] = {"metadata": {REFERENCE: order.id}, "description": order.title}
        # For cards only: on the whole payment it would hide methods that cannot be saved, such as UPI.
        session["payment_method_options"] = {"card": {"setup_future_usage": "off_session"}}
    # No `payment_method_types`: Stripe offers those that the account enables for the currency.
    made = await client.v1.checkout.sessions.create_async(
        session, {"idempotency_key": f"checkout:{order.id}:{customer}"}
    )
    return CheckoutSession(made.id, url=made.url, customer=customer)


async def _make_coupon(client: "StripeClient", order: Order) -> str:
    made = await client.v1.coupons.create_async(
        {
            "amount_off": units(order.discount_minor, order.currency),
            "currency": order.currency.lower(),
            "duration": "once",
            "max_redemptions": 1,
            "metadata": {REFERENCE: order.id},
        },
        {"idempotency_key": f"coupon:{order.id}"},
    )
    return made.id


async def close(client: "StripeClient", session_id: str) -> None:
    """Expire a session. Raises GatewayRefused if it was paid."""
    import stripe  # noqa: PLC0415 - half a second, only where Stripe is used

    try:
        await client.v1.checkout.sessions.expire_async(session_id)
    except stripe.InvalidRequestError as error:
        if is_missing(error):
            return
        found = await client.v1.checkout.sessions.retrieve_async(session_id)
        if found.status == "complete":
            raise GatewayRefused("the checkout was paid") from None
        if found.status != "expired":
            raise


async def charge(client: "StripeClient", order: Order) -> None:
    """Charge the saved card of a customer, once per order. Raises Declined."""
    customer = order.buyer.customer
    if customer is None:
        raise GatewayRefused("the customer is not known at Stripe")
    made = await client.v1.payment_intents.create_async(
        {
            "amount": units(order.amount_minor, order.currency),
            "currency": order.currency.lower(),
            "customer": customer,
            "payment_method": await _method(client, customer),
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "off_session": True,
            "confirm": True,
            "description": order.title,
            "metadata": {REFERENCE: order.id},
        },
        {"idempotency_key": f"charge:{order.id}"},
    )
    if made.status not in ("succeeded", "processing"):
        raise Declined(f"the payment is {made.status}")


async def _method(client: "StripeClient", customer: str) -> str:
    """The customer's default payment method, or the newest saved card."""
    known = await client.v1.customers.retrieve_async(customer)
    chosen = known.invoice_settings.default_payment_method if known.invoice_settings is not None else None
    if chosen is not None:
        return chosen if isinstance(chosen, str) else chosen.id
    listed = await client.v1.customers.payment_methods.list_async(customer, {"type": "card", "limit": 1})
    if not listed.data:
        raise Declined("the customer left no card")
    return listed.data[0].id


async def refund(client: "StripeClient", payment: str, amount_minor: int, *, key: str) -> None:
    """Refund a payment, once per `key`."""
    if payment.startswith(("in_", "cs_")):
        raise GatewayRefused("nothing was charged for it")
    if payment.startswith(("ch_", "py_")):
        charge = await client.v1.charges.retrieve_async(payment)
        amount = units(amount_minor, charge.currency.upper())
        await client.v1.refunds.create_async({"charge": payment, "amount": amount}, {"idempotency_key": key})
        return
    intent = await client.v1.payment_intents.retrieve_async(payment)
    amount = units(amount_minor, intent.currency.upper())
    await client.v1.refunds.create_async({"payment_intent": payment, "amount": amount}, {"idempotency_key": key})
