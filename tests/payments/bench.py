"""A gateway and the buyers, banks and days behind it: what a contract test needs of a vendor.

To put another gateway under the contract, write a class with these verbs and add it to `BENCHES`.
"""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from tests.emulators.razorpay import RazorpayEmulator
from tests.emulators.stripe import StripeEmulator, till

from hortus.core import clock
from hortus.core.clock import EPOCH
from hortus.core.db import Database
from hortus.core.http import Http
from hortus.core.settings import Settings
from hortus.payments import (
    Buyer,
    CheckoutSession,
    Gateway,
    GatewayContext,
    ObjectRef,
    Order,
    RecurringPrice,
    SubscriptionChanged,
)
from hortus.payments.razorpay import Adapter as Razorpay
from hortus.payments.sandbox import Adapter as Sandbox
from hortus.payments.sandbox import simulator, store, webhook_sender
from hortus.payments.stripe import Adapter as Stripe

Sent = tuple[dict[str, str], bytes]
"""The headers and the body of one webhook call."""


class Bench(Protocol):
    """One vendor, as a test drives it."""

    gateway: Gateway
    oldest: int
    """From so many seconds on, news is too old to be true."""

    async def pay(self, checkout: str) -> None:
        """The buyer pays a checkout."""

    async def decline(self, checkout: str) -> None:
        """The buyer's bank says no at a checkout."""

    async def renew(self, subscription: str) -> None:
        """The next period of a subscription comes and is paid; or the one that waits for its money."""

    async def fail_renewal(self, subscription: str) -> None:
        """The next period comes, and the bank says no."""

    async def set_declining(self, subscription: str, customer: str) -> None:
        """From now on the bank of a customer says no."""

    async def dispute(self, payment: str) -> None:
        """The buyer's bank questions a payment."""

    async def decide(self, payment: str, *, won: bool) -> None:
        """And decides."""

    async def sent(self, *, at: int | None = None) -> list[Sent]:
        """Every webhook call so far, the oldest first, signed at `at` (now, unless given)."""


class SandboxBench:
    """The sandbox, by its own buttons."""

    oldest = 302

    def __init__(self, context: GatewayContext) -> None:
        self.gateway: Gateway = Sandbox(context)
        self._database, self._settings = context.database, context.settings

    async def _press(self, verb: Callable[..., Any], *given: Any, **more: Any) -> None:
        async with self._database.transaction() as tx:
            await verb(tx, *given, **more)

    async def pay(self, checkout: str) -> None:
        await self._press(simulator.pay, checkout)

    async def decline(self, checkout: str) -> None:
        await self._press(simulator.decline, checkout)

    async def renew(self, subscription: str) -> None:
        await self._press(simulator.set_declining, subscription, False)
        await self._press(simulator.renew, subscription)

    async def fail_renewal(self, subscription: str) -> None:
        await self._press(simulator.set_declining, subscription, True)
        await self._press(simulator.renew, subscription)

    async def set_declining(self, subscription: str, customer: str) -> None:
        await self._press(simulator.set_declining, subscription, True)

    async def dispute(self, payment: str) -> None:
        await self._press(simulator.dispute, payment)

    async def decide(self, payment: str, *, won: bool) -> None:
        await self._press(simulator.decide, payment, won=won)

    async def sent(self, *, at: int | None = None) -> list[Sent]:
        async with self._database.snapshot() as tx:
            events = await store.events_since(tx, EPOCH, "", 1000)
        stamp = int(clock.now().timestamp()) if at is None else at
        bodies = [webhook_sender.body_of(event) for event in events]
        keys = webhook_sender.signing_keys(self._settings)
        return [({webhook_sender.HEADER.lower(): webhook_sender.sign(keys, body, stamp)}, body) for body in bodies]


class StripeBench:
    """Stripe's adapter, and the emulator behind it."""

    oldest = 302

    def __init__(self, context: GatewayContext, emulator: StripeEmulator) -> None:
        self.gateway: Gateway = Stripe(context)
        self.emulator = emulator

    async def pay(self, checkout: str) -> None:
        self.emulator.pay(checkout)

    async def decline(self, checkout: str) -> None:
        self.emulator.pay(checkout, ok=False)

    async def renew(self, subscription: str) -> None:
        self.emulator.renew(subscription)

    async def fail_renewal(self, subscription: str) -> None:
        self.emulator.renew(subscription, ok=False)

    async def set_declining(self, subscription: str, customer: str) -> None:
        self.emulator.desk.declining.add(customer)

    async def dispute(self, payment: str) -> None:
        till.dispute(self.emulator.books, self.emulator.books.get("payment_intent", payment))

    async def decide(self, payment: str, *, won: bool) -> None:
        made = self.emulator.find("dispute", payment_intent=payment)
        till.decide(self.emulator.books, made, "won" if won else "lost")

    async def sent(self, *, at: int | None = None) -> list[Sent]:
        told = [self.emulator.signed(event, at=at) for event in self.emulator.books.events]
        return [({name.lower(): value for name, value in headers.items()}, body) for headers, body in told]


class RazorpayBench:
    """Razorpay's adapter, and the emulator behind it."""

    oldest = 25 * 3600 + 2

    def __init__(self, context: GatewayContext, emulator: RazorpayEmulator) -> None:
        self.gateway: Gateway = Razorpay(context)
        self.emulator = emulator

    async def pay(self, checkout: str) -> None:
        if self.emulator.get(checkout)["status"] in ("created", "attempted"):
            self.emulator.pay(checkout)

    async def decline(self, checkout: str) -> None:
        self.emulator.fail_payment(checkout)

    async def renew(self, subscription: str) -> None:
        self.emulator.next_charge(subscription)

    async def fail_renewal(self, subscription: str) -> None:
        self.emulator.fail_renewal(subscription)

    async def set_declining(self, subscription: str, customer: str) -> None:
        self.emulator.decline(subscription)

    async def dispute(self, payment: str) -> None:
        self.emulator.dispute(payment)

    async def decide(self, payment: str, *, won: bool) -> None:
        (found,) = self.emulator.of("disp", payment_id=payment)
        self.emulator.decide(found["id"], "won" if won else "lost")

    async def sent(self, *, at: int | None = None) -> list[Sent]:
        told = self.emulator.events if at is None else [self.emulator.again(each, at) for each in self.emulator.events]
        return [
            ({name.lower(): value for name, value in self.emulator.headers(event).items()}, event.body)
            for event in told
        ]


@asynccontextmanager
async def razorpay_bench(context: GatewayContext, environ: Any) -> AsyncIterator[Bench]:
    """Razorpay on loopback, and the settings that lead there."""
    async with RazorpayEmulator() as emulator:
        for name, value in {**razorpay_settings(emulator), "RAZORPAY_CURRENCIES": "INR,USD"}.items():
            environ.setenv(name, value)
        yield RazorpayBench(context, emulator)


def razorpay_settings(emulator: RazorpayEmulator) -> dict[str, str]:
    """What an operator would set."""
    return {
        "RAZORPAY_KEY_ID": emulator.key_id,
        "RAZORPAY_KEY_SECRET": emulator.key_secret,
        "RAZORPAY_WEBHOOK_SECRET": emulator.webhook_secret,
        "RAZORPAY_API_BASE": emulator.url,
    }


@asynccontextmanager
async def sandbox_bench(context: GatewayContext, _: Any) -> AsyncIterator[Bench]:
    """The sandbox needs nothing else."""
    yield SandboxBench(context)


@asynccontextmanager
async def stripe_bench(context: GatewayContext, environ: Any) -> AsyncIterator[Bench]:
    """Stripe on loopback, and the settings that lead there."""
    async with StripeEmulator() as emulator:
        for name, value in stripe_settings(emulator).items():
            environ.setenv(name, value)
        yield StripeBench(context, emulator)


def stripe_settings(emulator: StripeEmulator) -> dict[str, str]:
    """What an operator would set."""
    return {
        "STRIPE_SECRET_KEY": emulator.secret_key,
        "STRIPE_WEBHOOK_SECRET": emulator.webhook_secret,
        "STRIPE_API_BASE": emulator.url,
    }


BENCHES: dict[str, Callable[[GatewayContext, Any], AbstractAsyncContextManager[Bench]]] = {
    "razorpay": razorpay_bench,
    "sandbox": sandbox_bench,
    "stripe": stripe_bench,
}


@asynccontextmanager
async def context_of(database: Database, folder: Path) -> AsyncIterator[GatewayContext]:
    """What an adapter is given."""
    async with Http() as http:
        yield GatewayContext(http, Settings(data_dir=folder / "data", secret_key="k" * 40), database)


# What is bought ----------------------------------------------------------------


def price_of(amount: int = 500_00, interval: Any = "month", currency: str = "INR") -> RecurringPrice:
    """A recurring price that nobody knows yet."""
    return RecurringPrice(f"{secrets.token_hex(8)}:{interval}:{currency}", "Pro", interval, amount, currency)


def order_of(amount: int = 199, currency: str = "USD", customer: str | None = None, **more: Any) -> Order:
    """An order that nobody placed yet."""
    reference = secrets.token_hex(16)
    buyer = Buyer(f"user-{reference}", "buyer@example.com", name="A Buyer", customer=customer)
    return Order(
        reference, buyer, "100 credits", amount, currency, "http://shop.test/thanks", "http://shop.test/back", **more
    )


async def subscribe(
    bench: Bench, price: RecurringPrice | None = None, **more: Any
) -> tuple[Order, CheckoutSession, str]:
    """A subscription that runs: its order, its checkout, and the gateway's id of it."""
    wanted = price or price_of()
    known = await bench.gateway.price(wanted)
    order = order_of(more.pop("amount", wanted.amount_minor), wanted.currency, price=known, **more)
    started = await bench.gateway.start(order)
    await bench.pay(started.external_id)
    return order, started, await subscription_of(bench, started.external_id)


async def subscription_of(bench: Bench, checkout: str) -> str:
    """The gateway's id of what a paid checkout began."""
    events = await bench.gateway.fetch_events(ObjectRef("checkout", checkout))
    return next(each.state.external_id for each in events if isinstance(each, SubscriptionChanged))
