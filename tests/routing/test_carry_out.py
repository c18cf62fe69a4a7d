"""Offers are tried in order, and a breaker is left as it was by what is no answer of a vendor."""

import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest

from hortus import routing
from hortus.providers import Done, Event, Operation, Registry, Request
from hortus.routing import Choice, OfferHealth, Size

CATALOGUE = """
dated = 2026-11-20
[[model]]
id = "current"
title = "Current"
operations = ["text"]
tier = "balanced"
score = 50
price = { per_call = "1" }
[[model.offer]]
provider = "echo"
model = "shared"
[[model]]
id = "former"
title = "Former"
operations = ["text"]
tier = "balanced"
score = 40
price = { per_call = "2" }
[[model.offer]]
provider = "echo"
model = "shared"
retires = 2020-01-01
"""


class Echo:
    """The adapter of a vendor that ends every request at once."""

    id: ClassVar[str] = "echo"
    title: ClassVar[str] = "Echo"
    operations: frozenset[Operation] = frozenset({"text"})

    def missing(self) -> str | None:
        return None

    def serves(self, model: str) -> bool:
        return True

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        yield Done()


class Listener:
    async def on_attempt(self, choice: Choice) -> None: ...

    async def on_complete(self) -> None: ...


@pytest.fixture
def catalog(tmp_path: Path) -> routing.Catalog:
    file = tmp_path / "catalog.toml"
    file.write_text(textwrap.dedent(CATALOGUE))
    return routing.load(file)


def test_a_route_is_restored_from_the_model_that_is_still_sold(catalog: routing.Catalog):
    registry = Registry(Echo())
    route = routing.restore_route(
        catalog, registry, "text", "balanced", [("echo", "shared")], price=7, size=Size(tokens=1)
    )
    assert [(choice.model.id, choice.price) for choice in route.choices] == [("current", 7)]


async def test_a_request_that_cannot_be_built_gives_the_probe_back(catalog: routing.Catalog):
    now = 0.0
    registry, health = Registry(Echo()), OfferHealth(lambda: now)
    route = routing.choose(catalog, registry, health, "text", size=Size(tokens=1))
    for _ in range(5):
        health.failed("echo", "shared")
    now = 1000.0
    assert health.state("echo", "shared") == "half_open"

    def broken(choice: Choice, timeout: float) -> Request:
        raise RuntimeError("a bug")

    trace = routing.Trace()
    with pytest.raises(RuntimeError, match="a bug"):
        await routing.generate(route, broken, Listener(), registry, health, deadline=5, trace=trace)
    assert [attempt.status for attempt in trace.attempts] == ["stopped"]
    assert health.admit("echo", "shared")
