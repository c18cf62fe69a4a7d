"""Fixtures of the fault tests: size, seed of the random choices, and the table of results.

`FAULTS=full` runs them at full size; otherwise each is small. `FAULT_SEED=…` repeats the choices of a run.
"""

import os
import random
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TABLE = "FAULTS_TABLE"
_rows: list[tuple[str, str, str, str]] = []


@pytest.fixture
def seed() -> int:
    """The seed of random choices."""
    chosen = int(os.environ.get("FAULT_SEED") or secrets.randbelow(2**32))
    print(f"FAULT_SEED={chosen}")  # noqa: T201 - pytest shows it when the test fails
    return chosen


@pytest.fixture
def rng(seed: int) -> random.Random:
    """A random generator that can be repeated."""
    return random.Random(seed)


@pytest.fixture
def record(seed: int, request: pytest.FixtureRequest) -> Callable[[str, str, float | None], None]:
    """`record(fault, how_much, recovery)` adds a line to the table; `recovery` in seconds."""
    where = "sqlite" if "sqlite" in request.node.name else "postgresql"

    def add(fault: str, how_much: str, recovery: float | None) -> None:
        took = "-" if recovery is None else f"{recovery:.1f} s"
        _rows.append((f"{fault} ({where})", how_much, took, str(seed)))

    return add


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Pass the rows of a worker of pytest-xdist to the controller."""
    if (told := getattr(session.config, "workeroutput", None)) is not None:
        told["faults"] = _rows


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect the rows of a worker that ended."""
    _rows.extend(tuple(row) for row in getattr(node, "workeroutput", {}).get("faults", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, and write it to the file that FAULTS_TABLE names."""
    if not _rows:
        return
    table = [("fault", "how much", "recovered in", "seed"), *_rows]
    widths = [max(len(row[place]) for row in table) for place in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    terminalreporter.section("faults")
    for line in lines:
        terminalreporter.write_line(line)
    if path := os.environ.get(TABLE):
        Path(path).write_text("\n".join(lines) + "\n")
