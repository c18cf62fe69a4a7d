"""Selling: the price list, checkouts, subscriptions, payments, and what follows when money goes back."""

from hortus.billing.auto_topup import turn_off as stop_auto_topup
from hortus.billing.errors import CannotChange, GatewayFailed, PaymentsNotConfigured
from hortus.billing.facts import apply
from hortus.billing.history import payments_of, refund
from hortus.billing.inbox import replay
from hortus.billing.leaving import end_subscription, subscribers
from hortus.billing.papers import InvoiceSettings, forget_details
from hortus.billing.papers.printing import Press
from hortus.billing.signals import dispute_lost, payment_failed, payment_received, payment_reversed
from hortus.billing.sold import DEFAULT_PACKS, Pack, PackTerms, ensure_packs, offered_packs, publish_pack

__all__ = [
    "DEFAULT_PACKS",
    "CannotChange",
    "GatewayFailed",
    "InvoiceSettings",
    "Pack",
    "PackTerms",
    "PaymentsNotConfigured",
    "Press",
    "apply",
    "dispute_lost",
    "end_subscription",
    "ensure_packs",
    "forget_details",
    "offered_packs",
    "payment_failed",
    "payment_received",
    "payment_reversed",
    "payments_of",
    "publish_pack",
    "refund",
    "replay",
    "stop_auto_topup",
    "subscribers",
]
