"""Billing: price list, checkouts, subscriptions, payments, refunds, coupons, referrals, automatic top-ups."""

from hortus.billing.auto_topup import disable as disable_auto_topup
from hortus.billing.errors import (
    CannotChange,
    CannotRefund,
    GatewayFailed,
    NotForSale,
    PaymentNotFound,
    PaymentsNotConfigured,
)
from hortus.billing.events import apply_events
from hortus.billing.payments.assign import assign_to_checkout, assign_to_user
from hortus.billing.payments.queries import PaymentStatus, find_payments, get_payment, payments_of, unmatched_payments
from hortus.billing.payments.refunds import refund
from hortus.billing.payments.revenue import Revenue, revenue
from hortus.billing.price_list.amounts import require_prices
from hortus.billing.price_list.packs import (
    DEFAULT_PACKS,
    Pack,
    PackTerms,
    end_pack_sale,
    ensure_packs,
    offered_packs,
    pack_versions,
    publish_pack,
)
from hortus.billing.price_list.settings import BillingSettings
from hortus.billing.signals import payment_failed, payment_received, payment_reversed
from hortus.billing.subscriptions.service import end_subscription, subscribers
from hortus.billing.sync import GatewaySync
from hortus.billing.webhooks.inbox import replay
from hortus.billing.webhooks.queries import EventStatus, find_webhook_events, webhook_event

__all__ = [
    "DEFAULT_PACKS",
    "BillingSettings",
    "CannotChange",
    "CannotRefund",
    "EventStatus",
    "GatewayFailed",
    "GatewaySync",
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
    "disable_auto_topup",
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
    "subscribers",
    "unmatched_payments",
    "webhook_event",
]
