"""Figures of benchmarks, and the page that shows them."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the page. `reached` is None for a figure without a target."""

    what: str
    value: str
    target: str = "-"
    reached: bool | None = None


def at_least(what: str, value: float, target: float, unit: str) -> Figure:
    """A figure whose value should be at least the target."""
    return Figure(what, f"{show(value)} {unit}", f"at least {show(target)} {unit}", value >= target)


def at_most(what: str, value: float, target: float, unit: str) -> Figure:
    """A figure whose value should be at most the target."""
    return Figure(what, f"{show(value)} {unit}", f"at most {show(target)} {unit}", value <= target)


def known(what: str, value: float, unit: str) -> Figure:
    """A figure without a target, for comparison."""
    return Figure(what, f"{show(value)} {unit}")


def missing(what: str, why: str) -> Figure:
    """A figure that was not measured, with the reason."""
    return Figure(what, f"not measured: {why}", "-", None)


def show(value: float) -> str:
    """Format with three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percentile(values: Sequence[float], percent: int) -> float:
    """A percentile of at least two values."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def page(sections: Sequence[tuple[str, Sequence[Figure]]], seconds: float) -> str:
    """The page as Markdown."""
    lines = [
        "# Performance",
        "",
        "Written by `make bench`; the next run replaces it. Figures are medians of several rounds, with the load",
        "coming from the same machine. What is compared ran in turns, so a ratio says more than a figure: the",
        "machine's own figures are in the first table.",
        "",
        f"{os.cpu_count()} processors, {platform.system()} {platform.machine()}, Python {platform.python_version()};",
        f"the run took {seconds:.0f} s.",
    ]
    for title, figures in sections:
        lines += ["", f"## {title}", "", "| What | Measured | Target | Reached |", "|---|---|---|---|"]
        words = {True: "yes", False: "**no**", None: "-"}
        lines += [f"| {each.what} | {each.value} | {each.target} | {words[each.reached]} |" for each in figures]
    return "\n".join(lines) + "\n"
