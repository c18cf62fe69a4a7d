"""Which provider serves which model, at what price, and how to carry it out."""

from hortus.routing.breaker import Health
from hortus.routing.carry_out import Attempt, AttemptListener, Job, Result, Trace, generate
from hortus.routing.catalog import TIERS, Catalog, CatalogError, Model, Offer, Price, Tier, load
from hortus.routing.choose import Choice, Policy, Route, Standing, choose, durations_of, standing, typical_seconds
from hortus.routing.errors import AllFailed, ModelNotOffered, NothingOffered, Refused
from hortus.routing.offer_toggles import following, forget_refusal, key_refusals, switch_off, switch_on
from hortus.routing.prices import Size, Used, charge, cost, estimate_tokens, price

__all__ = [
    "TIERS",
    "AllFailed",
    "Attempt",
    "AttemptListener",
    "Catalog",
    "CatalogError",
    "Choice",
    "Health",
    "Job",
    "Model",
    "ModelNotOffered",
    "NothingOffered",
    "Offer",
    "Policy",
    "Price",
    "Refused",
    "Result",
    "Route",
    "Size",
    "Standing",
    "Tier",
    "Trace",
    "Used",
    "charge",
    "choose",
    "cost",
    "durations_of",
    "estimate_tokens",
    "following",
    "forget_refusal",
    "generate",
    "key_refusals",
    "load",
    "price",
    "standing",
    "switch_off",
    "switch_on",
    "typical_seconds",
]
