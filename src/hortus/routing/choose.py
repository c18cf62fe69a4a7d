"""Choose the offers that serve a request, in order; an excluded offer has a reason."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal, NamedTuple

from hortus.core import clock
from hortus.providers import Operation, Registry
from hortus.routing import prices
from hortus.routing.breaker import Durations, OfferHealth
from hortus.routing.catalog import TIERS, Catalog, Model, Offer, Tier
from hortus.routing.errors import ModelNotOffered, NothingOffered
from hortus.routing.prices import MEGAPIXEL, Size

Policy = Literal["cheapest", "fastest", "best", "balanced"]
POLICY_OF: dict[Tier, Policy] = {"economy": "cheapest", "balanced": "balanced", "premium": "best"}
MAX_FALLBACK_COST_RATIO = 3
"""A fallback may cost the operator at most this many times the quoted price."""


DISABLED = "disabled by an administrator"
KEY_REFUSED = "key refused: the vendor does not accept it; `hortus doctor --check-vendors` asks again"


@dataclass(frozen=True, slots=True)
class Choice:
    """One offer with the model it serves and its price for this request, in micro-credits."""

    model: Model
    offer: Offer
    price: int
    size: Size


@dataclass(frozen=True, slots=True)
class Route:
    """Ordered offers for one request. The customer pays the price of the first, whichever offer serves."""

    operation: Operation
    quality: Tier
    policy: Policy
    choices: tuple[Choice, ...]

    @property
    def price(self) -> int:
        """The quoted price in micro-credits."""
        return self.choices[0].price


@dataclass(frozen=True, slots=True)
class OfferStatus:
    """Whether an offer can be used now; `reason` is one line, None where it can."""

    model: Model
    offer: Offer
    reason: str | None


class _ConfiguredOffer(NamedTuple):
    """An offer with all that depends only on the catalogue, the configuration and the date."""

    model: Model
    offer: Offer
    operations: frozenset[Operation]
    reason: str | None


@lru_cache(maxsize=8)
def _configured_offers(catalog: Catalog, registry: Registry, today: date) -> tuple[_ConfiguredOffer, ...]:
    # Cached, because adapters read their settings once, at start, and every request needs all offers.
    return tuple(
        _ConfiguredOffer(model, offer, _operations(registry, offer, model), _reason(model, offer, registry, today))
        for model in catalog.models
        for offer in model.offer
    )


@lru_cache(maxsize=8)
def _usable_offers(catalog: Catalog, registry: Registry, today: date) -> dict[tuple[str, str], _ConfiguredOffer]:
    """By provider and vendor's model: two models may sell the same one, of which one is retired."""
    found = _configured_offers(catalog, registry, today)
    return {(each.offer.provider, each.offer.model): each for each in found if each.reason is None}


def _operations(registry: Registry, offer: Offer, model: Model) -> frozenset[Operation]:
    provider = registry.get(offer.provider)
    return provider.operations.intersection(model.operations) if provider is not None else frozenset()


def offer_statuses(
    catalog: Catalog, registry: Registry, today: date | None = None, *, health: OfferHealth | None = None
) -> list[OfferStatus]:
    """Every offer of the catalogue, with the reason why it cannot be used, if any.

    With `health` that may also be that an administrator disabled it, or that the vendor refused the key.
    """
    return [
        OfferStatus(each.model, each.offer, each.reason or _disabled(each.offer, health))
        for each in _configured_offers(catalog, registry, today or clock.now().date())
    ]


def _disabled(offer: Offer, health: OfferHealth | None) -> str | None:
    if health is None:
        return None
    if health.key_is_refused(offer.provider):
        return KEY_REFUSED
    return DISABLED if health.is_disabled(offer.provider, offer.model) else None


def _reason(model: Model, offer: Offer, registry: Registry, today: date) -> str | None:
    if offer.retires is not None and offer.retires <= today:
        return f"retired by its vendor on {offer.retires}"
    provider = registry.get(offer.provider)
    if provider is None:
        return f"the provider {offer.provider} is not installed"
    missing = provider.missing()
    if missing is not None:
        return missing
    if not provider.serves(offer.model):
        return f"{offer.provider} does not serve {offer.model} as configured"
    if not provider.operations.intersection(model.operations):
        return f"{offer.provider} cannot do the operations of {model.id}"
    return None


def choose(
    catalog: Catalog,
    registry: Registry,
    health: OfferHealth,
    operation: Operation,
    *,
    quality: Tier = "balanced",
    model: str | None = None,
    among: Collection[str] | None = None,
    size: Size,
    policy: Policy | None = None,
) -> Route:
    """The route for one request, by models `among` those only. Raises ModelNotOffered or NothingOffered."""
    if model is not None and (named := catalog.model(model)) is None:
        raise ModelNotOffered(model=model)
    fitting = [
        OfferStatus(each.model, each.offer, each.reason or _disabled(each.offer, health))
        for each in _configured_offers(catalog, registry, clock.now().date())
        if operation in each.operations
        and (model is None or each.model is named)
        and (among is None or each.model.id in among)
    ]
    on_sale = [
        Choice(found.model, found.offer, prices.price(found.model.price, size), size)
        for found in fitting
        if found.reason is None
    ]
    real = [choice for choice in on_sale if not choice.model.sketch]
    # A sketch never replaces a real model because a key was refused.
    refused = any(found.reason == KEY_REFUSED and not found.model.sketch for found in fitting)
    choices = real if real or refused else on_sale
    if not choices:
        if model is not None:
            raise ModelNotOffered(model=model)
        raise NothingOffered(operation=operation)
    policy = policy or POLICY_OF[quality]
    ranked = sorted(choices, key=lambda choice: _rank(choice, quality, policy, health))
    bound = ranked[0].price * MAX_FALLBACK_COST_RATIO
    affordable = [ranked[0], *(choice for choice in ranked[1:] if choice.price <= bound)]
    return Route(operation, quality, policy, tuple(affordable))


def restore_route(
    catalog: Catalog,
    registry: Registry,
    operation: Operation,
    quality: Tier,
    frozen: Iterable[tuple[str, str]],
    *,
    price: int,
    size: Size,
) -> Route:
    """The route that was frozen at acceptance as (provider, vendor's model), without offers that are gone since.

    Raises NothingOffered where none is left.
    """
    usable = _usable_offers(catalog, registry, clock.now().date())
    choices = [Choice(usable[key].model, usable[key].offer, price, size) for key in frozen if key in usable]
    if not choices:
        raise NothingOffered
    return Route(operation, quality, "balanced", tuple(choices))


def durations_of(health: OfferHealth, choice: Choice) -> Durations:
    """The time that an offer takes for this size, measured where possible."""
    return health.durations(choice.offer.provider, choice.offer.model, typical_seconds(choice.offer, choice.size))


def typical_seconds(offer: Offer, size: Size) -> float:
    """The time in the catalogue that an offer takes for that size."""
    by_size = (
        offer.typical_ms_per_token * size.answer_tokens
        + offer.typical_ms_per_megapixel * size.pixels / MEGAPIXEL
        + offer.typical_ms_per_second * size.seconds
    )
    return offer.typical_s + by_size / 1000


def _rank(choice: Choice, quality: Tier, policy: Policy, health: OfferHealth) -> tuple[int, int, int, int]:
    distance = TIERS.index(choice.model.tier) - TIERS.index(quality)
    nearness = abs(distance) * 2 + (distance > 0)  # of two equally near tiers, the cheaper one first
    open_now = health.state(choice.offer.provider, choice.offer.model) == "open"
    slow = int(durations_of(health, choice).p95 * 1000)
    score = choice.model.score
    by_policy = {
        "cheapest": (choice.price, -score),
        "fastest": (slow, choice.price),
        "best": (-score, choice.price),
        # Quality per price and per time, both on a logarithm's scale so that neither drowns the other.
        "balanced": (-score * 10 + choice.price.bit_length() * 8 + slow.bit_length() * 4, choice.price),
    }[policy]
    return (int(open_now), nearness, *by_policy)
