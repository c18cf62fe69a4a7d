"""Carry out a route: offers in order, fallback on technical failure only, within one deadline."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast

import structlog

from hortus.core.telemetry import metrics, tracing
from hortus.providers import (
    Delta,
    Done,
    Event,
    JobStarted,
    KeyRefused,
    NotConfigured,
    Output,
    Pollable,
    Progress,
    ProviderError,
    RateLimited,
    Registry,
    Rejected,
    Request,
    Unavailable,
    Usage,
)
from hortus.routing.breaker import LONGEST_OPEN, OfferHealth
from hortus.routing.choose import Choice, Route, typical_seconds
from hortus.routing.errors import AllFailed, ContentRejected

log = structlog.get_logger()
KEY_REFUSED = "key_refused"
"""The code of an attempt that was skipped because the vendor does not accept the key."""
LONGEST_WAIT = 10.0
"""How long a lone rate-limited offer is waited for, in seconds."""


PERMANENT = frozenset({"not_configured", KEY_REFUSED, "switched_off"})
"""Codes of attempts that the customer cannot fix by retrying: the operator must act first."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one offer, as stored and shown."""

    provider: str
    model: str
    status: Literal["succeeded", "failed", "rejected", "skipped", "stopped"]
    ms: int
    code: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """A vendor job that was started before: which choice started it, and the vendor's id."""

    provider: str
    model: str
    handle: str


@dataclass(slots=True)
class Trace:
    """The attempts so far; filled while the work goes on, so that it survives any end."""

    attempts: list[Attempt] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Result:
    """The choice that served, and the usage that its vendor reported."""

    choice: Choice
    usage: Usage
    finish: Literal["stop", "length"]


class AttemptListener(Protocol):
    """Receives the output of attempts. Each method may write to the database; none is in a transaction."""

    async def on_attempt(self, choice: Choice) -> None:
        """An offer is about to be tried; the output of an earlier one is void."""

    async def on_job(self, choice: Choice, handle: str) -> None:
        """The vendor's id of a paid job: must be durable on return."""

    async def on_progress(self, percent: int) -> None:
        """0 to 100."""

    async def on_delta(self, text: str, usage: Usage | None) -> None:
        """A piece of text, with the usage that its vendor reported up to it."""

    async def on_output(self, output: Output) -> None:
        """An image or video. Raises Unavailable when it is of another type."""

    async def on_complete(self) -> None:
        """The offer reported its end. Raises Unavailable when an output is missing."""


async def generate(
    route: Route,
    make: Callable[[Choice, float], Request],
    listener: AttemptListener,
    registry: Registry,
    health: OfferHealth,
    *,
    deadline: float,
    trace: Trace,
    resume: Job | None = None,
) -> Result:
    """Try the choices in order until one delivers; `deadline` is in seconds from now.

    `make(choice, timeout)` builds the request for an offer. With `resume` the job of an
    earlier process is polled first and nothing is bought again. Raises ContentRejected (never
    falls back) or AllFailed.
    """
    ends = time.monotonic() + deadline
    choices = list(route.choices)
    if resume is not None:
        started_with = (resume.provider, resume.model)
        choices.sort(key=lambda choice: (choice.offer.provider, choice.offer.model) != started_with)
    position = 0
    while position < len(choices):
        choice = choices[position]
        left = ends - time.monotonic()
        if left <= 0:
            break
        last = position == len(choices) - 1
        provider, model = choice.offer.provider, choice.offer.model
        resumed = resume if resume and (resume.provider, resume.model) == (provider, model) else None
        if resumed is None and not health.admit(provider, model):
            wait = health.opens_in(provider, model)
            if last and not _any_tried(trace) and 0 < wait <= min(LONGEST_WAIT, left):
                await asyncio.sleep(wait)
                continue
            trace.attempts.append(Attempt(provider, model, "skipped", 0, _why_skipped(health, provider, model)))
            position += 1
            continue
        budget = left if last else left * 0.7
        started = time.monotonic()
        try:
            return await _attempt(choice, make, listener, registry, health, trace, budget, resumed)
        except ProviderError as error:
            resume = None
            retry = _record_failure(choice, error, started, health, trace)
            if retry is not None and last and retry <= min(LONGEST_WAIT, ends - time.monotonic()):
                await asyncio.sleep(retry)
                if len(trace.attempts) < len(choices) + 2:
                    continue
            position += 1
    lasting = bool(trace.attempts) and all(attempt.code in PERMANENT for attempt in trace.attempts)
    raise AllFailed("not_offered" if lasting else "unavailable")


def _why_skipped(health: OfferHealth, provider: str, model: str) -> str:
    if health.key_is_refused(provider):
        return KEY_REFUSED
    return "switched_off" if health.is_disabled(provider, model) else "circuit_open"


def _any_tried(trace: Trace) -> bool:
    return any(attempt.status != "skipped" for attempt in trace.attempts)


def _record_failure(
    choice: Choice, error: ProviderError, started: float, health: OfferHealth, trace: Trace
) -> float | None:
    provider, model = choice.offer.provider, choice.offer.model
    seconds = time.monotonic() - started
    ms = int(seconds * 1000)
    metrics.count_provider_call(provider, model, error.code, seconds)
    log.warning("attempt_failed", provider=provider, model=model, code=error.code, detail=error.detail[:500], ms=ms)
    if isinstance(error, Rejected):
        health.abandoned(provider, model)
        trace.attempts.append(Attempt(provider, model, "rejected", ms, error.reason))
        raise ContentRejected(error.reason) from error
    trace.attempts.append(Attempt(provider, model, "failed", ms, error.code))
    if isinstance(error, NotConfigured):
        health.abandoned(provider, model)
        if not health.key_is_refused(provider):
            log.error("provider_key_refused", provider=provider, model=model, detail=error.detail[:500])
        if isinstance(error, KeyRefused):
            health.refuse_key(provider)
        else:  # this model only: tried again when the breaker admits a probe
            health.failed(provider, model, LONGEST_OPEN)
        return None
    if isinstance(error, RateLimited):
        wait = error.retry_after if error.retry_after is not None else 1.0
        health.failed(provider, model, wait)
        return wait
    health.failed(provider, model)
    return None


async def _attempt(
    choice: Choice,
    make: Callable[[Choice, float], Request],
    listener: AttemptListener,
    registry: Registry,
    health: OfferHealth,
    trace: Trace,
    budget: float,
    resumed: Job | None,
) -> Result:
    """Try one offer, and record a success or a stop; a ProviderError is recorded by the caller."""
    provider, model = choice.offer.provider, choice.offer.model
    started = time.monotonic()
    attributes = {"gen_ai.system": provider, "gen_ai.request.model": model}
    try:
        with tracing.span(f"provider {provider}", "client", attributes):
            result = await _try(choice, make(choice, budget), listener, registry, budget, resumed)
    except ProviderError:
        raise
    except BaseException:
        health.abandoned(provider, model)
        trace.attempts.append(Attempt(provider, model, "stopped", int((time.monotonic() - started) * 1000), None))
        raise
    seconds = time.monotonic() - started
    health.succeeded(provider, model, seconds, typical_seconds(choice.offer, choice.size))
    metrics.count_provider_call(provider, model, "succeeded", seconds)
    trace.attempts.append(Attempt(provider, model, "succeeded", int(seconds * 1000), None))
    return result


async def _try(
    choice: Choice, request: Request, listener: AttemptListener, registry: Registry, budget: float, resumed: Job | None
) -> Result:
    provider = registry.get(choice.offer.provider)
    if provider is None:
        raise Unavailable(f"the provider {choice.offer.provider} is not installed")
    await listener.on_attempt(choice)
    if resumed is not None and isinstance(provider, Pollable):
        started = provider.poll(resumed.handle, request)
    else:
        started = provider.generate(request)
    events = cast("AsyncGenerator[Event, None]", started)  # adapters are generators, so that they can be closed
    try:
        async with asyncio.timeout(budget), aclosing(events):
            async for event in events:
                match event:
                    case Delta(text=text, usage=used):
                        await listener.on_delta(text, used)
                    case Progress(percent=percent):
                        await listener.on_progress(max(0, min(100, percent)))
                    case JobStarted(handle=handle):
                        await listener.on_job(choice, handle)
                    case Output():
                        await listener.on_output(event)
                    case Done(usage=usage, finish=finish):
                        await listener.on_complete()
                        return Result(choice, usage, finish)
    except TimeoutError as error:
        raise Unavailable("no result in time") from error
    raise Unavailable("the provider's stream ended without a final event")
