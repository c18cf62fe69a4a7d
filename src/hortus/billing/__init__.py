"""Selling: the price list, checkouts, subscriptions, payments, and what follows when money goes back."""

from hortus.billing.facts import apply
from hortus.billing.history import payments_of, refund
from hortus.billing.inbox import replay
from hortus.billing.signals import payment_failed, payment_received, payment_reversed
from hortus.billing.sold import DEFAULT_PACKS, Pack, PackTerms, ensure_packs, offered_packs, publish_pack

__all__ = [
    "DEFAULT_PACKS",
    "Pack",
    "PackTerms",
    "apply",
    "ensure_packs",
    "offered_packs",
    "payment_failed",
    "payment_received",
    "payment_reversed",
    "payments_of",
    "publish_pack",
    "refund",
    "replay",
]
