"""A database, the resources of handlers, and task types registered for one test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hortus import tasks
from hortus.core import ids
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.tasks.registry import TASK_TYPES


@pytest.fixture
def resources(database: Database) -> Resources:
    return Resources(database)


@pytest.fixture
def register() -> Iterator[Callable[..., tasks.TaskType]]:
    """`tasks.register` under a name of this test, removed afterwards."""
    names = []

    def make(handler: Any, **options: Any) -> tasks.TaskType:
        names.append(f"test.{ids.new()}")
        return tasks.register(names[-1], handler, **options)

    yield make
    for name in names:
        TASK_TYPES.pop(name, None)
