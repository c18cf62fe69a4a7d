"""Selling: the price list, checkouts, subscriptions, payments, and what follows when money goes back."""

from hortus.billing.amounts import require_prices
from hortus.billing.assign import assign_to_checkout, assign_to_user
from hortus.billing.auto_topup import turn_off as stop_auto_topup
from hortus.billing.errors import (
    CannotChange,
    CannotRefund,
    GatewayFailed,
    NotForSale,
    PaymentNotFound,
    PaymentsNotConfigured,
)
from hortus.billing.facts import apply
from hortus.billing.history import payments_of, refund
from hortus.billing.inbox import replay
from hortus.billing.leaving import end_subscription, subscribers
from hortus.billing.oversight import (
    EventStatus,
    PaymentStatus,
    find_payments,
    find_webhook_events,
    look_at_payment,
    unmatched_payments,
    webhook_event,
)
from hortus.billing.papers import InvoiceSettings, forget_details
from hortus.billing.papers.printing import Press
from hortus.billing.revenue import Revenue, revenue
from hortus.billing.signals import dispute_lost, payment_failed, payment_received, payment_reversed
from hortus.billing.sold import (
    DEFAULT_PACKS,
    BillingSettings,
    Pack,
    PackTerms,
    end_pack_sale,
    ensure_packs,
    offered_packs,
    pack_versions,
    publish_pack,
)

__all__ = [
    "DEFAULT_PACKS",
    "BillingSettings",
    "CannotChange",
    "CannotRefund",
    "EventStatus",
    "GatewayFailed",
    "InvoiceSettings",
    "NotForSale",
    "Pack",
    "PackTerms",
    "PaymentNotFound",
    "PaymentStatus",
    "PaymentsNotConfigured",
    "Press",
    "Revenue",
    "apply",
    "assign_to_checkout",
    "assign_to_user",
    "dispute_lost",
    "end_pack_sale",
    "end_subscription",
    "ensure_packs",
    "find_payments",
    "find_webhook_events",
    "forget_details",
    "look_at_payment",
    "offered_packs",
    "pack_versions",
    "payment_failed",
    "payment_received",
    "payment_reversed",
    "payments_of",
    "publish_pack",
    "refund",
    "replay",
    "require_prices",
    "revenue",
    "stop_auto_topup",
    "subscribers",
    "unmatched_payments",
    "webhook_event",
]
