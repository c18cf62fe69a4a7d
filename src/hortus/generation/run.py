"""Do the work of one generation: from its row alone, so that any process can, at any time, again.

tx A marks it running; then no transaction is open until tx B ends it. What was bought from
a vendor is remembered the moment it is known.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from hortus import files, routing, tasks
from hortus.core.db import Database, Tx
from hortus.core.events import Bus
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.generation import transitions
from hortus.generation.batches import Finished, GenerationBatches
from hortus.generation.cancellation import CancellationWatcher
from hortus.generation.collect import ResultCollector, job_of
from hortus.generation.conversations import Conversations
from hortus.generation.sizes import TEXT_VIDEO_SECONDS, accepted_size, input_tokens
from hortus.generation.tables import BY_USAGE, Generation
from hortus.generation.transitions import Outcome, end
from hortus.providers import (
    ChatMessage,
    ImageRequest,
    Media,
    Pollable,
    Registry,
    Request,
    TextRequest,
    Usage,
    VideoRequest,
)
from hortus.routing import Catalog, Choice, Health, MeteredUsage, Route, Trace
from hortus.storage import BlobNotFound, Storage

log = structlog.get_logger()


class SourceMissing(Exception):
    """The image to work on was deleted in the meantime."""


async def run(resources: Resources, task: tasks.ClaimedTask) -> None:
    """The task behind every generation. Returns when it has ended, by whomever."""
    generation_id = task.payload["id"]
    with resources.get(CancellationWatcher).cancelled(generation_id) as cancelled:
        generation = await _take_up(resources, task)
        if generation is None:
            return
        collector = ResultCollector(resources, generation)
        keep = False
        try:
            async with _workdir(generation.kind) as workdir:
                outcome = await _work_unless(cancelled, resources, generation, collector, workdir)
                keep = True  # until we know: a commit whose answer was lost may have been one
                done = Finished(task, generation_id, outcome, collector.files, collector.job)
                keep = await resources.get(GenerationBatches).finish(done) and outcome.status == "succeeded"
        except tasks.LeaseLost:
            keep = False
            raise
        finally:
            if not keep:
                with suppress(Exception):
                    await asyncio.shield(collector.discard())


async def _take_up(resources: Resources, task: tasks.ClaimedTask) -> Generation | None:
    if not task.payload.get("running"):
        return await resources.get(GenerationBatches).mark_running(task.payload["id"])
    async with resources.get(Database).snapshot() as tx:  # marked when it was accepted: there is nothing to write
        return await transitions.find_live(tx, task.payload["id"])


@cache
def _nowhere() -> Path:
    return Path(tempfile.gettempdir()) / "hortus-none"


@asynccontextmanager
async def _workdir(kind: str) -> AsyncIterator[Path]:
    """A private empty folder for images and videos; text needs none and gets a path where nothing is."""
    if kind in ("text", "chat"):
        yield _nowhere()
        return
    folder = Path(tempfile.mkdtemp(prefix="hortus-"))
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _work_unless(
    cancelled: asyncio.Future[None],
    resources: Resources,
    generation: Generation,
    collector: ResultCollector,
    workdir: Path,
) -> Outcome:
    """The end of the work, or what was delivered when somebody stopped it; the vendor's work is stopped then."""
    if generation.stop_requested_at is not None:  # whoever was asked to stop it died: what they did is lost
        return Outcome("cancelled")
    work = asyncio.ensure_future(_work(resources, generation, collector, workdir))
    try:
        await asyncio.wait((work, cancelled), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        work.cancel()
        await asyncio.wait((work,))
        await _cancel_job(resources, collector)
        return _stopped(generation, collector)
    finally:
        work.cancel()
        await asyncio.wait((work,))


async def _cancel_job(resources: Resources, collector: ResultCollector) -> None:
    if collector.job is None:
        return
    provider = resources.get(Registry).get(collector.job.provider)
    if isinstance(provider, Pollable):
        try:
            async with asyncio.timeout(10):
                await provider.cancel(collector.job.handle)
        except Exception:
            log.exception("vendor_cancel_failed", provider=collector.job.provider)


async def _work(resources: Resources, generation: Generation, collector: ResultCollector, workdir: Path) -> Outcome:
    trace, settings = collector.trace, resources.get(Settings)
    seconds = {"image": settings.image_deadline_seconds, "video": settings.video_deadline_seconds}
    try:
        await resources.get(Conversations).complete(generation)
        sources = await _read_sources(resources, generation)
        route = _restore_route(resources, generation)
        result = await routing.generate(
            route,
            lambda choice, timeout: _request(generation, choice, timeout, sources, workdir),
            collector,
            resources.get(Registry),
            resources.get(Health),
            deadline=seconds.get(generation.kind, settings.text_deadline_seconds),
            trace=trace,
            resume=job_of(generation),
        )
    except SourceMissing:
        return Outcome("failed", "source_missing", attempts=_attempts(generation, trace))
    except routing.ContentRejected as refused:
        return Outcome("failed", refused.reason, attempts=_attempts(generation, trace))
    except (routing.AllFailed, routing.NothingOffered) as error:
        return Outcome("failed", error.code, attempts=_attempts(generation, trace))
    used, usage = _used(generation, result.usage, collector, result.finish)
    return Outcome(
        "succeeded",
        text=collector.text or None,
        outputs=tuple(_output_of(kept) for kept in collector.files),
        usage=usage,
        charge=_charge(generation, used),
        attempts=_attempts(generation, trace),
        provider=result.choice.offer.provider,
        model=result.choice.model.id,
        cost=routing.cost(result.choice.offer.cost, used),
        cost_currency=result.choice.offer.cost.currency,
    )


def _stopped(generation: Generation, collector: ResultCollector) -> Outcome:
    """Text that reached the customer stays theirs and is charged by usage; anything else counts for nothing."""
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


def _restore_route(resources: Resources, generation: Generation) -> Route:
    """The frozen route with the offers of today's catalogue."""
    return routing.restore_route(
        resources.get(Catalog),
        resources.get(Registry),
        generation.operation,  # type: ignore[arg-type]
        generation.quality,  # type: ignore[arg-type]
        [(entry["provider"], entry["vendor_model"]) for entry in generation.route],
        price=generation.price,
        size=accepted_size(generation.operation, generation.prompt, generation.params),
    )


async def _read_sources(resources: Resources, generation: Generation) -> tuple[Media, ...]:
    """The images to work on or to look at."""
    wanted = [each for each in (generation.params.get("file_id"), *generation.params.get("attachments", ())) if each]
    found: list[tuple[str, str]] = []
    try:
        if wanted:
            async with resources.get(Database).snapshot() as tx:
                for file_id in wanted:
                    row = await files.find(tx, generation.user_id, file_id)
                    found.append((row.storage_key, row.mime_type))
        return tuple([Media(await resources.get(Storage).read(key), mime_type) for key, mime_type in found])
    except (files.FileNotFound, BlobNotFound) as error:
        raise SourceMissing from error


def _request(
    generation: Generation, choice: Choice, timeout: float, sources: tuple[Media, ...], workdir: Path
) -> Request:
    params: dict[str, Any] = generation.params
    shared: dict[str, Any] = {
        "id": generation.id,
        "model": choice.offer.model,
        "timeout": timeout,
        "workdir": workdir,
        "operation": generation.operation,
    }
    if generation.kind in ("text", "chat"):
        history = params.get("messages") or [{"role": "user", "content": generation.prompt}]
        messages = tuple(ChatMessage(each["role"], each["content"]) for each in history)
        if sources:
            last = messages[-1]
            messages = (*messages[:-1], ChatMessage(last.role, last.content, sources))
        return TextRequest(
            **shared, messages=messages, system=params.get("system"), max_tokens=params.get("max_tokens", 1024)
        )
    if generation.kind == "image":
        return ImageRequest(
            **shared,
            prompt=generation.prompt,
            width=params.get("width", 1024),
            height=params.get("height", 1024),
            count=params.get("count", 1),
            style=params.get("style"),
            color=params.get("color"),
            source=sources[0] if sources else None,
        )
    return VideoRequest(
        **shared,
        prompt=params.get("prompt"),
        photo=sources[0] if sources else None,
        script=params.get("script"),
        voice=params.get("voice"),
        language=params.get("language", "en"),
        aspect_ratio=params.get("aspect_ratio", "16:9"),
        duration_s=params.get("duration_s") or TEXT_VIDEO_SECONDS,
    )


def _used(
    generation: Generation, usage: Usage, collector: ResultCollector, finish: str
) -> tuple[MeteredUsage, dict[str, Any]]:
    """What was used, and how that is shown: by our own estimate, marked as one, where the vendor said nothing."""
    read, written = usage.input_tokens, usage.output_tokens
    estimated = generation.kind in BY_USAGE and not (read and written)
    if estimated:
        read = read or input_tokens(generation.prompt, generation.params)
        written = written or routing.estimate_tokens(collector.text)
    shown = sum(kept.duration_ms or 0 for kept in collector.files)
    used = MeteredUsage(
        input_tokens=read,
        output_tokens=written,
        images=len(collector.files) if generation.kind == "image" else 0,
        milliseconds=shown or int(usage.seconds * 1000),
    )
    return used, {"input_tokens": read, "output_tokens": written, "finish": finish, "estimated": estimated}


def _charge(generation: Generation, used: MeteredUsage) -> int | None:
    """By usage at the rates of acceptance; None, which is the whole price, where the price depends on nothing else."""
    if generation.kind not in BY_USAGE or generation.rates is None:
        return None
    return routing.charge(routing.Price.model_construct(None, **generation.rates), used, held=generation.price)


def _output_of(kept: files.NewFile) -> dict[str, Any]:
    return {
        "file_id": kept.id,
        "filename": kept.filename,
        "mime_type": kept.mime_type,
        "bytes": kept.bytes,
        "width": kept.width,
        "height": kept.height,
        "duration_ms": kept.duration_ms,
    }


def _attempts(generation: Generation, trace: Trace) -> tuple[dict[str, Any], ...]:
    return (*generation.attempts, *(asdict(attempt) for attempt in trace.attempts))


async def give_up(tx: Tx, resources: Resources, task: tasks.ClaimedTask) -> None:
    """The task was dead-lettered: end the generation as failed in the same transaction."""
    await end(tx, resources.get(Bus), task.payload["id"], Outcome("failed", "interrupted"))
