"""A database, the shelf that handlers are given, and kinds of task that no other test knows."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hortus import tasks
from hortus.core import ids
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.tasks.kinds import registry


@pytest.fixture
def resources(database: Database) -> Resources:
    return Resources(database)


@pytest.fixture
def define() -> Iterator[Callable[..., tasks.Kind]]:
    """`tasks.define` under a name of this test's own, forgotten afterwards."""
    names = []

    def make(handler: Any, **options: Any) -> tasks.Kind:
        names.append(f"test.{ids.new()}")
        return tasks.define(names[-1], handler, **options)

    yield make
    for name in names:
        registry.kinds.pop(name, None)
