"""Selling: the price list, checkouts, subscriptions, payments, and what follows when money goes back."""

from hortus.billing.auto_topup import turn_off as stop_auto_topup
from hortus.billing.errors import (
    CannotChange,
    CannotRefund,
    GatewayFailed,
    NotForSale,
    PaymentNotFound,
    PaymentsNotConfigured,
)
from hortus.billing.events import apply_events
from hortus.billing.payments.admin_queries import (
    EventStatus,
    PaymentStatus,
    find_payments,
    find_webhook_events,
    get_payment,
    unmatched_payments,
    webhook_event,
)
from hortus.billing.payments.assign import assign_to_checkout, assign_to_user
from hortus.billing.payments.refunds import payments_of, refund
from hortus.billing.payments.revenue import Revenue, revenue
from hortus.billing.price_list.amounts import require_prices
from hortus.billing.price_list.catalogue import (
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
from hortus.billing.signals import dispute_lost, payment_failed, payment_received, payment_reversed
from hortus.billing.subscriptions.account_closed import end_subscription, subscribers
from hortus.billing.webhooks.inbox import replay

__all__ = [
    "DEFAULT_PACKS",
    "BillingSettings",
    "CannotChange",
    "CannotRefund",
    "EventStatus",
    "GatewayFailed",
    "NotForSale",
    "Pack",
    "PackTerms",
    "PaymentNotFound",
    "PaymentStatus",
    "PaymentsNotConfigured",
    "Revenue",
    "apply_events",
    "assign_to_checkout",
    "assign_to_user",
    "dispute_lost",
    "end_pack_sale",
    "end_subscription",
    "ensure_packs",
    "find_payments",
    "find_webhook_events",
    "get_payment",
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
