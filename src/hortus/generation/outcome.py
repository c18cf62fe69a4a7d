"""Compute the outcome of a generation: result, usage, charge and cost."""

from dataclasses import asdict
from typing import Any

from hortus import files, routing
from hortus.generation.collect import ResultCollector
from hortus.generation.sizes import input_tokens
from hortus.generation.tables import BY_USAGE, Generation
from hortus.generation.transitions import Outcome
from hortus.providers import (
    Usage,
)
from hortus.routing import MeteredUsage, Result, Trace


def succeeded(generation: Generation, collector: ResultCollector, result: Result) -> Outcome:
    """The outcome of a completed attempt."""
    used, usage = _used(generation, result.usage, collector, result.finish)
    return Outcome(
        "succeeded",
        text=collector.text or None,
        outputs=tuple(_output_of(stored) for stored in collector.files),
        usage=usage,
        charge=_charge(generation, used),
        attempts=_attempts(generation, collector.trace),
        provider=result.choice.offer.provider,
        model=result.choice.model.id,
        cost=routing.cost(result.choice.offer.cost, used),
        cost_currency=result.choice.offer.cost.currency,
    )


def failed(generation: Generation, collector: ResultCollector, code: str) -> Outcome:
    """The outcome where no offer delivered; `code` is the error code for the customer."""
    return Outcome("failed", code, attempts=_attempts(generation, collector.trace))


def stopped(generation: Generation, collector: ResultCollector) -> Outcome:
    """The outcome of a stop: text that was delivered is charged by usage; other kinds are cancelled and free."""
    attempts = _attempts(generation, collector.trace)
    if generation.kind not in BY_USAGE or collector.choice is None or not collector.text.strip():
        return Outcome("cancelled", attempts=attempts)
    used, usage = _used(generation, collector.reported or Usage(), collector, "stopped")
    offer = collector.choice.offer
    return Outcome(
        "cancelled",
        text=collector.text,
        usage=usage,
        charge=_charge(generation, used) or 0,
        attempts=attempts,
        provider=offer.provider,
        model=collector.choice.model.id,
        cost=routing.cost(offer.cost, used),
        cost_currency=offer.cost.currency,
    )


def _used(
    generation: Generation, usage: Usage, collector: ResultCollector, finish: str
) -> tuple[MeteredUsage, dict[str, Any]]:
    """The usage to charge, and the usage to show; estimated, and marked so, where the vendor reported none."""
    read, written = usage.input_tokens, usage.output_tokens
    estimated = generation.kind in BY_USAGE and not (read and written)
    if estimated:
        read = read or input_tokens(generation.prompt, generation.params)
        written = written or routing.estimate_tokens(collector.text)
    shown = sum(stored.duration_ms or 0 for stored in collector.files)
    used = MeteredUsage(
        input_tokens=read,
        output_tokens=written,
        images=len(collector.files) if generation.kind == "image" else 0,
        milliseconds=shown or int(usage.seconds * 1000),
    )
    return used, {"input_tokens": read, "output_tokens": written, "finish": finish, "estimated": estimated}


def _charge(generation: Generation, used: MeteredUsage) -> int | None:
    """The charge by usage at the frozen rates; None, the whole price, for kinds that are not charged by usage."""
    if generation.kind not in BY_USAGE or generation.rates is None:
        return None
    return routing.charge(routing.Price.model_construct(None, **generation.rates), used, held=generation.price)


def _output_of(stored: files.NewFile) -> dict[str, Any]:
    return {
        "file_id": stored.id,
        "filename": stored.filename,
        "mime_type": stored.mime_type,
        "bytes": stored.bytes,
        "width": stored.width,
        "height": stored.height,
        "duration_ms": stored.duration_ms,
    }


def _attempts(generation: Generation, trace: Trace) -> tuple[dict[str, Any], ...]:
    return (*generation.attempts, *(asdict(attempt) for attempt in trace.attempts))
