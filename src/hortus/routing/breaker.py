"""Circuit breakers and measured durations of this process, per provider and model."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

FAILURES_TO_OPEN = 5
OPEN_SECONDS = 30.0
LONGEST_OPEN = 300.0
KEPT_DURATIONS = 200
LEAST_TYPICAL = 0.001
"""Seconds, in place of a catalogue's 0."""

State = Literal["closed", "open", "half_open"]


@dataclass(slots=True)
class _Record:
    failures: int = 0
    opened: int = 0
    open_until: float = 0.0
    probing: bool = False
    durations: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_DURATIONS))


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds from start to result: the middle and the slow end."""

    p50: float
    p95: float
    samples: int


class OfferHealth:
    """Breakers and durations. An open breaker lets one probe through when its time is up."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: dict[tuple[str, str], _Record] = {}
        self._disabled: frozenset[tuple[str, str]] = frozenset()
        self._refused: set[str] = set()
        self._newly_refused: set[str] = set()

    def set_disabled(self, disabled: frozenset[tuple[str, str]]) -> None:
        """Replace the set of disabled offers (provider, model)."""
        self._disabled = disabled

    def is_disabled(self, provider: str, model: str) -> bool:
        """Whether an administrator disabled this offer."""
        return (provider, model) in self._disabled

    def refuse_key(self, provider: str) -> None:
        """The vendor refused the key: exclude all offers of the provider, here at once and elsewhere within seconds."""
        if provider not in self._refused:
            self._refused.add(provider)
            self._newly_refused.add(provider)

    def pop_newly_refused(self) -> frozenset[str]:
        """The providers refused in this process that are not stored yet."""
        found, self._newly_refused = frozenset(self._newly_refused), set()
        return found

    def set_refusals(self, refused: frozenset[str]) -> None:
        """Replace the refusals by the stored ones; those of this process that are not stored yet stay."""
        self._refused = {*refused, *self._newly_refused}

    def key_is_refused(self, provider: str) -> bool:
        """Whether the vendor refused the key of this provider and has not accepted it since."""
        return provider in self._refused

    def state(self, provider: str, model: str) -> State:
        """The state of the breaker of an offer now."""
        record = self._record(provider, model)
        if not record.opened:
            return "closed"
        return "open" if self._clock() < record.open_until else "half_open"

    def admit(self, provider: str, model: str) -> bool:
        """Whether a call may be made. In the half-open state exactly one caller gets True until it reports."""
        if self.is_disabled(provider, model) or self.key_is_refused(provider):
            return False
        record = self._record(provider, model)
        state = self.state(provider, model)
        if state == "open" or (state == "half_open" and record.probing):
            return False
        record.probing = state == "half_open"
        return True

    def succeeded(self, provider: str, model: str, seconds: float, typical: float) -> None:
        """A call succeeded: close the breaker. `typical` are the catalogue's seconds for work of its size."""
        record = self._record(provider, model)
        record.failures = record.opened = 0
        record.probing = False
        record.durations.append(seconds / max(typical, LEAST_TYPICAL))

    def failed(self, provider: str, model: str, retry_after: float | None = None) -> None:
        """A call failed technically; `retry_after` opens the breaker for just that long."""
        record = self._record(provider, model)
        record.failures += 1
        probe, record.probing = record.probing, False
        if retry_after is not None:
            record.opened = max(1, record.opened)
            record.open_until = self._clock() + min(retry_after, LONGEST_OPEN)
        elif probe or record.failures >= FAILURES_TO_OPEN:
            record.opened += 1
            record.open_until = self._clock() + min(OPEN_SECONDS * 2 ** (record.opened - 1), LONGEST_OPEN)

    def abandoned(self, provider: str, model: str) -> None:
        """A call ended without a verdict (refused content, cancelled): the next call may probe."""
        self._record(provider, model).probing = False

    def opens_in(self, provider: str, model: str) -> float:
        """Seconds until the breaker lets a probe through; 0 when it does now."""
        record = self._record(provider, model)
        return max(0.0, record.open_until - self._clock()) if record.opened else 0.0

    def durations(self, provider: str, model: str, typical: float) -> Durations:
        """p50 and p95 of work for which the catalogue says `typical` seconds; that figure until there are five samples.

        Runs are compared by how much longer or shorter they took than the catalogue has for their size.
        """
        samples = sorted(self._record(provider, model).durations)
        if len(samples) < 5:
            return Durations(typical, typical * 3, len(samples))
        middle, slow = samples[len(samples) // 2], samples[min(len(samples) - 1, int(len(samples) * 0.95))]
        base = max(typical, LEAST_TYPICAL)
        return Durations(middle * base, slow * base, len(samples))

    def _record(self, provider: str, model: str) -> _Record:
        return self._records.setdefault((provider, model), _Record())
