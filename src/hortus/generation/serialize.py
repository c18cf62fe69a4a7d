"""Serialize generations and quotes for responses."""

from hortus import files, routing
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.generation.errors import DETAILS
from hortus.generation.schemas import AttemptOut, ErrorOut, GenerationOut, OutputOut, QuoteOut, TextOut, UsageOut
from hortus.generation.tables import Generation
from hortus.routing import OfferHealth, Route


def generation_out(generation: Generation, settings: Settings, *, staff: bool = False) -> GenerationOut:
    """The generation as in the API, with fresh links to its files; with `staff` also those of a suspended account."""
    error = None
    if generation.status == "failed":
        code = generation.error_code or "unavailable"
        error = ErrorOut(code=code, detail=DETAILS.get(code, DETAILS["unavailable"]))
    if generation.taken_down_at is not None:
        error = ErrorOut(code="taken_down", detail=DETAILS["taken_down"])
    return GenerationOut(
        id=generation.id,
        kind=generation.kind,
        operation=generation.operation,
        status=generation.status,
        progress=generation.progress,
        quality=generation.quality,
        provider=generation.provider,
        model=generation.model,
        price_credits=generation.price,
        charged_credits=generation.charged,
        prompt=generation.prompt,
        created_at=generation.created_at,
        finished_at=generation.finished_at,
        outputs=[
            OutputOut(
                file_id=output["file_id"],
                url=files.link(settings, output["file_id"], staff=staff),
                mime_type=output["mime_type"],
                bytes=output["bytes"],
                width=output["width"],
                height=output["height"],
                duration_s=output["duration_ms"] / 1000 if output["duration_ms"] is not None else None,
            )
            for output in generation.outputs
        ],
        text=generation.text,
        usage=UsageOut(**generation.usage) if generation.usage else None,
        attempts=[AttemptOut.model_validate(attempt) for attempt in generation.attempts],
        error=error,
    )


def quote_out(resources: Resources, route: Route) -> QuoteOut:
    """Price and time of a request that takes this route."""
    first = route.choices[0]
    times = routing.durations_of(resources[OfferHealth], first)
    return QuoteOut(
        price_credits=route.price,
        provider=first.offer.provider,
        model=first.model.id,
        duration_s=first.size.seconds or None,
        p50_seconds=round(times.p50, 2),
        p95_seconds=round(times.p95, 2),
        measured=times.samples,
        fallbacks=[choice.model.id for choice in route.choices[1:]],
    )


def text_out(generation: Generation) -> TextOut:
    """The answer of POST /text/generate."""
    return TextOut(
        id=generation.id,
        generation_id=generation.id,
        text=generation.text or "",
        usage=UsageOut(**generation.usage) if generation.usage else None,
        provider=generation.provider,
        model=generation.model,
        price_credits=generation.price,
        charged_credits=generation.charged,
    )
