"""Adapter for Stripe."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from hortus.core.configuration import SettingsGroup
from hortus.core.http import Http
from hortus.payments.base import (
    Capabilities,
    CheckoutSession,
    GatewayContext,
    IncomingEvent,
    ObjectRef,
    Order,
    PaymentEvent,
    Proration,
    RecurringPrice,
)
from hortus.payments.stripe import changes, checkouts, webhooks
from hortus.payments.stripe.currencies import AMOUNTS
from hortus.payments.stripe.errors import translate_errors
from hortus.payments.stripe.events import fetch_events
from hortus.payments.stripe.objects import PAGE
from hortus.payments.stripe.settings import StripeSettings

if TYPE_CHECKING:
    from stripe import StripeClient

LONGEST_KEY = 255


class Adapter:
    """One Stripe account. For its settings see `settings.StripeSettings`."""

    Settings: ClassVar[type[SettingsGroup]] = StripeSettings
    id = "stripe"
    title = "Stripe"

    def __init__(self, context: GatewayContext) -> None:
        self._settings = StripeSettings()
        self._http = context.http
        self._connected: StripeClient | None = None
        self.capabilities = Capabilities(currencies=self._settings.currencies, portal=True, amounts=AMOUNTS)

    async def _client(self) -> "StripeClient":
        """The client. Its library is imported on first use, in a thread, so that the event loop is not blocked."""
        if self._connected is None:
            self._connected = await asyncio.to_thread(_connect, self._settings, self._http)
        return self._connected

    def missing(self) -> str | None:
        return self._settings.missing()

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> IncomingEvent:
        return webhooks.parse_webhook(self._settings.signing_secret, headers, body, now)

    async def check(self) -> str:
        """Read the balance, which every secret key may do."""
        client = await self._client()
        with translate_errors("the balance"):
            balance = await client.v1.balance.retrieve_async()
        return f"the key is accepted ({'live' if balance.livemode else 'test'} mode)"

    async def list_events_since(self, since: datetime) -> AsyncIterator[IncomingEvent]:
        # Stripe lists the newest first; only ids and times are kept until the oldest is reached.
        client = await self._client()
        with translate_errors("events"):
            listed = await client.v1.events.list_async(
                {"created": {"gte": int(since.timestamp())}, "types": list(webhooks.KINDS), "limit": PAGE}
            )
            found = [webhooks.incoming_event(event.to_dict()) async for event in listed.auto_paging_iter()]
        for incoming in reversed(found):
            yield incoming

    async def fetch_events(self, ref: ObjectRef) -> list[PaymentEvent]:
        client = await self._client()
        with translate_errors(f"facts of a {ref.kind}"):
            return await fetch_events(client, ref)

    async def price(self, price: RecurringPrice) -> str:
        client = await self._client()
        with translate_errors("price"):
            return await checkouts.make_price(client, price)

    async def start(self, order: Order) -> CheckoutSession:
        client = await self._client()
        with translate_errors("checkout"):
            return await checkouts.start(client, order)

    async def close(self, external_id: str) -> None:
        client = await self._client()
        with translate_errors("closing a checkout"):
            await checkouts.close(client, external_id)

    async def charge(self, order: Order) -> None:
        client = await self._client()
        with translate_errors("charge"):
            await checkouts.charge(client, order)

    async def preview(self, subscription: str, price: str) -> Proration:
        client = await self._client()
        with translate_errors("preview of a change"):
            return await changes.preview(client, subscription, price)

    async def change(self, subscription: str, price: str, *, now: bool, key: str) -> None:
        client = await self._client()
        with translate_errors("change"):
            await changes.change(client, subscription, price, now=now, key=_key("change", key))

    async def cancel(self, subscription: str, *, now: bool, key: str) -> None:
        client = await self._client()
        with translate_errors("cancellation"):
            await changes.cancel(client, subscription, now=now, key=_key("cancel", key))

    async def resume(self, subscription: str, *, key: str) -> None:
        client = await self._client()
        with translate_errors("resumption"):
            await changes.resume(client, subscription, key=_key("resume", key))

    async def refund(self, payment: str, amount_minor: int, *, key: str) -> None:
        client = await self._client()
        with translate_errors("refund"):
            await checkouts.refund(client, payment, amount_minor, key=_key("refund", key))

    async def portal(self, customer: str, return_url: str) -> str:
        client = await self._client()
        with translate_errors("portal"):
            opened = await client.v1.billing_portal.sessions.create_async(
                {"customer": customer, "return_url": return_url}
            )
            return opened.url


def _connect(settings: StripeSettings, http: Http) -> "StripeClient":
    from hortus.payments.stripe.transport import connect  # noqa: PLC0415 - half a second, only where Stripe is used

    return connect(settings, http)


def _key(verb: str, key: str) -> str:
    """An idempotency key for Stripe; ours may contain text that a customer sent."""
    whole = f"{verb}:{key}"
    if len(whole) + 20 <= LONGEST_KEY and whole.isascii() and whole.isprintable():
        return whole
    return f"{verb}:{hashlib.sha256(whole.encode()).hexdigest()}"
