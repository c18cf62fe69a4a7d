"""Razorpay: orders, UPI, cards, net banking, subscriptions. Spoken over HTTP; there is no SDK to trust or to update."""

from hortus.payments.razorpay.adapter import Adapter

__all__ = ["Adapter"]
