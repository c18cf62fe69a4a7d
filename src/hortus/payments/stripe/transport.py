"""HTTP transport of the Stripe SDK over `core.http`: no call inside a transaction, bounded time and size."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import Any

import stripe

from hortus.core.http import Http, HttpError
from hortus.payments.stripe.settings import StripeSettings

MAX_ANSWER = 16 * 1024 * 1024
"""Maximum bytes of a response: ten times a page of a hundred large objects."""
MAX_RETRIES = 1
"""How often the SDK retries a call without a response, with the same idempotency key."""


class Transport(stripe.HTTPClient):
    """Sends requests of the SDK through `core.http`, which refuses calls inside a transaction."""

    name = "aiohttp"

    def __init__(self, http: Http, timeout: float) -> None:
        super().__init__()
        self._http, self._timeout = http, timeout

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request. Raises APIConnectionError without a response, CallInsideTransaction in a transaction."""
        body = post_data.encode() if isinstance(post_data, str) else post_data
        try:
            answer = await self._http.request(
                method.upper(), url, headers=headers, body=body, timeout=self._timeout, max_bytes=MAX_ANSWER
            )
        except HttpError as error:
            said = f"{type(error).__name__}: {error}"
            raise stripe.APIConnectionError(said, should_retry=True) from None  # type: ignore[no-untyped-call] # theirs
        return answer.body, answer.status, answer.headers

    def sleep_async(self, secs: float) -> Awaitable[None]:
        return asyncio.sleep(secs)


def connect(settings: StripeSettings, http: Http) -> stripe.StripeClient:
    """A client for the configured account."""
    stripe.enable_telemetry = False  # telemetry writes a file into the home folder and sends the platform
    logging.getLogger("stripe").setLevel(logging.WARNING)  # at INFO it logs customer data
    return stripe.StripeClient(
        settings.key,
        base_addresses={"api": settings.api_base.rstrip("/")},
        max_network_retries=MAX_RETRIES,
        http_client=Transport(http, settings.timeout),
    )
