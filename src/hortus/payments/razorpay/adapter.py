"""Adapter for Razorpay."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar

from hortus.core.configuration import SettingsGroup
from hortus.payments.base import (
    Capabilities,
    CheckoutSession,
    GatewayContext,
    GatewayNotConfigured,
    GatewayRefused,
    GatewayUnavailable,
    IncomingEvent,
    ObjectRef,
    Order,
    PaymentEvent,
    Proration,
    RecurringPrice,
)
from hortus.payments.razorpay import subscriptions, webhooks
from hortus.payments.razorpay.client import Absent, Client, Entity
from hortus.payments.razorpay.events import close_order, fetch_events, refund
from hortus.payments.razorpay.settings import AMOUNTS, RazorpaySettings

LATE_MINUTES = 7200
"""How long Razorpay captures late authorisations by itself: five days, its maximum. Later ones are refunded."""


class Adapter:
    """One Razorpay account. For its settings see `settings.RazorpaySettings`."""

    Settings: ClassVar[type[SettingsGroup]] = RazorpaySettings
    id = "razorpay"
    title = "Razorpay"

    def __init__(self, context: GatewayContext) -> None:
        self._settings = RazorpaySettings()
        self._client = Client(context.http, self._settings)
        self.capabilities = Capabilities(
            currencies=self._settings.currencies, discounts=False, off_session=False, resume=False, amounts=AMOUNTS
        )

    def missing(self) -> str | None:
        return self._settings.missing()

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> IncomingEvent:
        self._ready()
        return webhooks.parse_webhook(self._settings.webhook_secret.get_secret_value().strip(), headers, body, now)

    def verify(self, fields: Mapping[str, str]) -> ObjectRef:
        self._ready()
        return webhooks.verify(self._settings.key_secret.get_secret_value().strip(), fields)

    def _ready(self) -> None:
        lacking = self.missing()
        if lacking is not None:
            raise GatewayNotConfigured(lacking)

    async def fetch_events(self, ref: ObjectRef) -> list[PaymentEvent]:
        with _of_known_form():
            return await fetch_events(self._client, ref)

    async def check(self) -> str:
        """Read the newest payment."""
        await self._client.get("payments", count=1)
        return "the key is accepted"

    async def list_events_since(self, since: datetime) -> AsyncIterator[IncomingEvent]:
        with _of_known_form():
            async for incoming in webhooks.list_events_since(self._client, since):
                yield incoming

    async def price(self, price: RecurringPrice) -> str:
        with _of_known_form():
            return await subscriptions.make_plan(self._client, price)

    async def start(self, order: Order) -> CheckoutSession:
        with _of_known_form():
            if order.price is not None:
                begun, _ = await subscriptions.begin(self._client, order, order.price)
                return CheckoutSession(
                    begun.external_id, begun.url, self._form(order, subscription_id=begun.external_id)
                )
            made = await self._order(order)
            return CheckoutSession(made["id"], order=self._form(order, order_id=made["id"]))

    async def _order(self, order: Order) -> Entity:
        # A retry finds the order of the first call. Concurrent calls may create two; the buyer sees only one of them,
        # and a payment of either counts once.
        async for each in self._client.each("orders", receipt=order.id):
            if each.get("receipt") == order.id and (each["amount"], each["currency"]) == (
                order.amount_minor,
                order.currency,
            ):
                return each
        late = {"automatic_expiry_period": LATE_MINUTES, "manual_expiry_period": LATE_MINUTES, "refund_speed": "normal"}
        wanted = {
            "amount": order.amount_minor,
            "currency": order.currency,
            "receipt": order.id,
            "partial_payment": False,
            "payment": {"capture": "automatic", "capture_options": late},
            "notes": {"reference": order.id},
        }
        return await self._client.post("orders", wanted)

    def _form(self, order: Order, **what: str) -> dict[str, Any]:
        """The options with which our page opens Razorpay's form."""
        buyer = {"name": order.buyer.name, "email": order.buyer.email, "contact": order.buyer.mobile}
        return {
            "key_id": self._settings.key_id,
            **what,
            "amount": order.amount_minor,
            "currency": order.currency,
            "name": self._settings.shop_name,
            "description": order.title,
            "prefill": {name: value for name, value in buyer.items() if value},
        }

    async def close(self, external_id: str) -> None:
        with _of_known_form():
            if external_id.startswith("sub_"):
                await subscriptions.close(self._client, external_id)
                return
            await close_order(self._client, external_id)

    async def charge(self, order: Order) -> None:
        raise GatewayRefused("Razorpay cannot charge without the customer present")

    async def preview(self, subscription: str, price: str) -> Proration:
        with _of_known_form():
            return await subscriptions.preview(self._client, subscription, price)

    async def change(self, subscription: str, price: str, *, now: bool, key: str) -> None:
        with _of_known_form():
            await subscriptions.change(self._client, subscription, price, now=now)

    async def cancel(self, subscription: str, *, now: bool, key: str) -> None:
        with _of_known_form():
            await subscriptions.cancel(self._client, subscription, now=now)

    async def resume(self, subscription: str, *, key: str) -> None:
        raise GatewayRefused("Razorpay cannot revoke a cancellation")

    async def refund(self, payment: str, amount_minor: int, *, key: str) -> None:
        with _of_known_form():
            if await self._client.find("payments", payment) is None:
                raise GatewayRefused("there is no such payment")
            await refund(self._client, payment, amount_minor, key=key)

    async def portal(self, customer: str, return_url: str) -> str:
        raise GatewayRefused("Razorpay has no customer portal")


@contextmanager
def _of_known_form() -> Iterator[None]:
    """Raise malformed responses as GatewayUnavailable."""
    try:
        yield
    except Absent as error:
        raise GatewayRefused(str(error)) from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise GatewayUnavailable(f"Razorpay's answer has another form: {type(error).__name__}") from error
