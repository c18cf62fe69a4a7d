"""Pick the route of a request: its offers in order, among the models that the caller may use."""

from hortus import routing
from hortus.accounts import Principal
from hortus.auth import ModelNotAllowed
from hortus.core.resources import Resources
from hortus.providers import Operation, Registry
from hortus.routing import Catalog, NothingOffered, OfferHealth, Route, Size, Tier


def choose_route(
    resources: Resources, caller: Principal, operation: Operation, quality: Tier, model: str | None, size: Size
) -> Route:
    """The route of a request by models that the caller may use, with its price. Raises the refusals of routing."""
    allowed = caller.models
    if allowed is not None and model is not None and model not in allowed:
        raise ModelNotAllowed(model=model, models=sorted(allowed))
    try:
        return routing.choose(
            resources.get(Catalog),
            resources.get(Registry),
            resources.get(OfferHealth),
            operation,
            quality=quality,
            model=model,
            among=allowed,
            size=size,
        )
    except NothingOffered:
        if allowed is None:
            raise
        raise ModelNotAllowed(models=sorted(allowed)) from None
