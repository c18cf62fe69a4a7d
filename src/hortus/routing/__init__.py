"""Routing: choose offers for a request, price it, and carry it out with fallback."""

from hortus.routing.breaker import OfferHealth
from hortus.routing.carry_out import Attempt, AttemptListener, Job, Result, Trace, generate
from hortus.routing.catalog import TIERS, Catalog, CatalogError, Model, Offer, Price, Tier, load
from hortus.routing.choose import (
    Choice,
    OfferStatus,
    Policy,
    Route,
    choose,
    durations_of,
    offer_statuses,
    restore_route,
    typical_seconds,
)
from hortus.routing.errors import AllFailed, ContentRejected, ModelNotOffered, NothingOffered
from hortus.routing.offer_toggles import delete_refusal, disable_offer, enable_offer, follow_toggles, key_refusals
from hortus.routing.prices import MeteredUsage, Size, charge, cost, estimate_tokens, price

__all__ = [
    "TIERS",
    "AllFailed",
    "Attempt",
    "AttemptListener",
    "Catalog",
    "CatalogError",
    "Choice",
    "ContentRejected",
    "Job",
    "MeteredUsage",
    "Model",
    "ModelNotOffered",
    "NothingOffered",
    "Offer",
    "OfferHealth",
    "OfferStatus",
    "Policy",
    "Price",
    "Result",
    "Route",
    "Size",
    "Tier",
    "Trace",
    "charge",
    "choose",
    "cost",
    "delete_refusal",
    "disable_offer",
    "durations_of",
    "enable_offer",
    "estimate_tokens",
    "follow_toggles",
    "generate",
    "key_refusals",
    "load",
    "offer_statuses",
    "price",
    "restore_route",
    "typical_seconds",
]
