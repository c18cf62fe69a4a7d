"""Stripe's own client over our one way out: its calls wait for transactions and end in bounded time."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import Any

import stripe

from hortus.core.http import Http, HttpError
from hortus.payments.stripe.settings import StripeSettings

MAX_ANSWER = 16 * 1024 * 1024
"""Bytes of one answer: a page of a hundred large objects is a tenth of it."""
TRIES_AGAIN = 1
"""How often the SDK repeats a call that had no answer, with the same idempotency key."""


class Transport(stripe.HTTPClient):
    """What the SDK sends goes through `core.http`, and so never while a transaction is open."""

    name = "aiohttp"

    def __init__(self, http: Http, timeout: float) -> None:
        super().__init__()
        self._http, self._timeout = http, timeout

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One call. Raises APIConnectionError without an answer, CallInsideTransaction inside a transaction."""
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
    """A client for the account that the settings name."""
    stripe.enable_telemetry = False  # it would write a file into the home folder and tell the platform
    logging.getLogger("stripe").setLevel(logging.WARNING)  # at INFO it repeats what Stripe says about customers
    return stripe.StripeClient(
        settings.key,
        base_addresses={"api": settings.api_base.rstrip("/")},
        max_network_retries=TRIES_AGAIN,
        http_client=Transport(http, settings.timeout),
    )
