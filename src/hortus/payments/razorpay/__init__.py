"""Razorpay: orders, UPI, cards, net banking, subscriptions. Uses the HTTP API without an SDK."""

from hortus.payments.razorpay.adapter import Adapter

__all__ = ["Adapter"]
