"""Routes of `/api/admin/providers`, `/api/admin/models` and `/api/admin/offers`."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from hortus import generation, routing
from hortus.accounts import Principal
from hortus.admin.audit import actor_of, record
from hortus.admin.deps import RecentAdmin
from hortus.admin.schemas import Reason
from hortus.auth import Admin, Staff
from hortus.core.db import Tx
from hortus.core.schemas import Body, MicroCredits
from hortus.core.web.deps import AllResources, WriteTx
from hortus.core.web.openapi import make_router
from hortus.providers import Registry
from hortus.routing import Catalog, OfferHealth, OfferStatus

router = make_router("/api/admin", "admin")


class ProviderOut(BaseModel):
    """One adapter. `reason` names the missing settings, or why the adapter cannot be loaded."""

    id: str
    title: str
    state: Literal["ready", "not_configured", "broken"]
    reason: str | None


class ProvidersOut(BaseModel):
    """All adapters."""

    items: list[ProviderOut]


class OfferOut(BaseModel):
    """A model at one provider. Breaker and durations are those of the process that answers."""

    provider: str
    model: str = Field(description="The vendor's own name for it")
    on_sale: bool
    reason: str | None
    enabled: bool
    breaker: Literal["closed", "open", "half_open"]
    opens_in_seconds: float
    p50_seconds: float
    p95_seconds: float
    measured: int
    retires: date | None
    cost_currency: str
    cost: dict[str, MicroCredits] = Field(description="What the vendor charges, in millionths of `cost_currency`")


class CatalogModelOut(BaseModel):
    """One model with its price in micro-credits and its offers."""

    id: str
    title: str
    quality: str
    score: int
    sketch: bool
    operations: list[str]
    price: dict[str, MicroCredits]
    offers: list[OfferOut]


class CatalogOut(BaseModel):
    """The catalogue in use."""

    dated: date
    items: list[CatalogModelOut]


class OfferToggleIn(Body):
    """An offer, and the reason to enable or disable it."""

    provider: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    model: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    reason: Reason


class OfferToggleOut(BaseModel):
    """State of the offer after the call."""

    provider: str
    model: str
    enabled: bool


@router.get("/providers", operation_id="admin_list_providers")
async def list_providers(_caller: Staff, resources: AllResources) -> ProvidersOut:
    """All providers, with their state and missing settings."""
    registry = resources[Registry]
    found = []
    for each in registry.all():
        missing = each.missing()
        state: Literal["ready", "not_configured"] = "ready" if missing is None else "not_configured"
        found.append(ProviderOut(id=each.id, title=each.title, state=state, reason=missing))
    found += [ProviderOut(id=name, title=name, state="broken", reason=why) for name, why in registry.broken.items()]
    return ProvidersOut(items=found)


@router.get("/models", operation_id="admin_list_models")
async def list_models(_caller: Admin, resources: AllResources) -> CatalogOut:
    """The catalogue with prices, costs, and the state of each offer."""
    catalog, health = resources[Catalog], resources[OfferHealth]
    statuses = routing.offer_statuses(catalog, resources[Registry], health=health)
    items = [
        CatalogModelOut(
            id=model.id,
            title=model.title,
            quality=model.tier,
            score=model.score,
            sketch=model.sketch,
            operations=list(model.operations),
            price={name: value for name, value in model.price if value},
            offers=[_show(each, health) for each in statuses if each.model is model],
        )
        for model in catalog.models
    ]
    return CatalogOut(dated=catalog.dated, items=items)


def _show(each: OfferStatus, health: OfferHealth) -> OfferOut:
    offer = each.offer
    times = health.durations(
        offer.provider, offer.model, routing.typical_seconds(offer, generation.usual_size(each.model))
    )
    return OfferOut(
        provider=offer.provider,
        model=offer.model,
        on_sale=each.reason is None,
        reason=each.reason,
        enabled=not health.is_disabled(offer.provider, offer.model),
        breaker=health.state(offer.provider, offer.model),
        opens_in_seconds=health.opens_in(offer.provider, offer.model),
        p50_seconds=times.p50,
        p95_seconds=times.p95,
        measured=times.samples,
        retires=offer.retires,
        cost_currency=offer.cost.currency,
        cost={name: value for name, value in offer.cost if name != "currency" and value},
    )


@router.post("/offers/disable", operation_id="admin_disable_offer")
async def disable(body: OfferToggleIn, caller: RecentAdmin, tx: WriteTx, resources: AllResources) -> OfferToggleOut:
    """Stop routing to an offer: at once in this process, within seconds in all. Queued generations skip it too."""
    catalog, health = resources[Catalog], resources[OfferHealth]
    await routing.disable_offer(tx, catalog, health, body.provider, body.model)
    return await _toggled(tx, caller, body, enabled=False)


@router.post("/offers/enable", operation_id="admin_enable_offer")
async def enable(body: OfferToggleIn, caller: RecentAdmin, tx: WriteTx, resources: AllResources) -> OfferToggleOut:
    """Route to an offer again."""
    await routing.enable_offer(tx, resources[OfferHealth], body.provider, body.model)
    return await _toggled(tx, caller, body, enabled=True)


async def _toggled(tx: Tx, caller: Principal, body: OfferToggleIn, *, enabled: bool) -> OfferToggleOut:
    action = "offer.enabled" if enabled else "offer.disabled"
    details = {"provider": body.provider, "model": body.model}
    target = ("offer", f"{body.provider}/{body.model}"[:200])
    await record(tx, actor_of(caller), action, target, details, note=body.reason)
    return OfferToggleOut(provider=body.provider, model=body.model, enabled=enabled)
