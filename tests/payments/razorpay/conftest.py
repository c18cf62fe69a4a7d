"""A shop that sells through Razorpay, and Razorpay."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from tests.billing.conftest import rows
from tests.emulators.razorpay import Entity, Event, RazorpayEmulator
from tests.helpers.checks import Check
from tests.helpers.server import Hortus

CREDIT = 1_000_000
BONUS, SMALL, PRO = 5 * CREDIT, 100 * CREDIT, 2000 * CREDIT


@pytest.fixture
async def vendor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RazorpayEmulator]:
    """Razorpay, and the settings of a shop that uses it alone."""
    async with RazorpayEmulator(retry_after="0") as emulator:
        for name, value in {
            "RAZORPAY_KEY_ID": emulator.key_id,
            "RAZORPAY_KEY_SECRET": emulator.key_secret,
            "RAZORPAY_WEBHOOK_SECRET": emulator.webhook_secret,
            "RAZORPAY_API_BASE": emulator.url,
            "RAZORPAY_TIMEOUT": "2",
            "PAYMENT_SANDBOX": "off",
        }.items():
            monkeypatch.setenv(name, value)
        yield emulator


@pytest.fixture
def server_options(vendor: RazorpayEmulator) -> dict[str, Any]:
    return {}


@pytest.fixture
def server_ready() -> Check:
    return _reconciled


async def _reconciled(hortus: Hortus) -> None:
    # The sweep for missed news looks once at every start; after that it sleeps longer than a test lasts.
    async with asyncio.timeout(30):
        while not await rows(hortus, "SELECT 1 FROM tasks WHERE name = 'billing.reconcile' AND status = 'done'"):
            await asyncio.sleep(0.05)


class Post:
    """Brings the vendor's events to the shop, and waits until they were worked on."""

    def __init__(self, hortus: Hortus, vendor: RazorpayEmulator) -> None:
        self._hortus, self._vendor, self._client, self._brought = hortus, vendor, hortus.anonymous(), 0

    async def send(self, event: Event, secret: str | None = None, **headers: str) -> httpx2.Response:
        """Send one event once."""
        given = {**self._vendor.headers(event, secret), **headers}
        return await self._client.post("/api/webhook/razorpay", content=event.body, headers=given)

    async def all(self) -> None:
        """Bring every event that was not brought yet."""
        for event in self.news():
            assert (await self.send(event)).status_code == 200
        await self.handled()

    def news(self) -> list[Event]:
        """Every event that was not brought yet; it counts as brought now."""
        waiting = self._vendor.events[self._brought :]
        self._brought += len(waiting)
        return waiting

    async def handled(self) -> None:
        """Wait until every event in the inbox was worked on."""
        async with asyncio.timeout(30):
            while await rows(self._hortus, "SELECT 1 FROM webhook_events WHERE status = 'pending'"):
                await asyncio.sleep(0.03)
        # What it led to, such as giving a second subscription back.
        async with asyncio.timeout(30):
            undo = "SELECT 1 FROM tasks WHERE name = 'billing.undo' AND status IN ('queued', 'running')"
            while await rows(self._hortus, undo):
                await asyncio.sleep(0.03)


@pytest.fixture
def post(hortus: Hortus, vendor: RazorpayEmulator) -> Post:
    """The way of news from the vendor to the shop."""
    return Post(hortus, vendor)


def of_checkout(vendor: RazorpayEmulator, checkout: dict[str, Any]) -> Entity:
    """The vendor's order or subscription behind a checkout."""
    form = checkout["order"]
    return vendor.get(form.get("order_id") or form["subscription_id"])
