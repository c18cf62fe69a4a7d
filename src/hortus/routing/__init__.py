"""Which provider serves which model, at what price, and how to carry it out."""

from hortus.routing.catalog import TIERS, Catalog, CatalogError, Model, Offer, Price, Tier, load
from hortus.routing.choose import Choice, Policy, Route, Standing, choose, durations_of, standing, typical_seconds
from hortus.routing.errors import AllFailed, ModelNotOffered, NothingOffered, Refused
from hortus.routing.generate import Attempt, Job, Result, Sink, Trace, generate
from hortus.routing.health import Health
from hortus.routing.prices import Size, Used, charge, cost, estimate_tokens, price
from hortus.routing.switches import following, forget_refusal, key_refusals, switch_off, switch_on

__all__ = [
    "TIERS",
    "AllFailed",
    "Attempt",
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
    "Sink",
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
