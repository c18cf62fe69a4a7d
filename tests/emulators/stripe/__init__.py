"""Stripe on loopback: prices, Checkout, subscriptions, invoices, refunds, disputes, events."""

from tests.emulators.stripe.server import StripeEmulator

__all__ = ["StripeEmulator"]
