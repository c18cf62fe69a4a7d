"""Stripe: its Checkout, subscriptions, invoices, refunds, disputes and customer portal."""

from hortus.payments.stripe.adapter import Adapter

__all__ = ["Adapter"]
