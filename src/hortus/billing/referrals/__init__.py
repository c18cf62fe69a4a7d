"""Referrals: customers who bring customers, and the reward for both."""

from hortus.billing.referrals.tasks import on_payment_received, on_payment_reversed, on_sign_up

__all__ = ["on_payment_received", "on_payment_reversed", "on_sign_up"]
