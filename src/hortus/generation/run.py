"""Run one generation, from its row alone: any process can, at any time, and again after a crash.

One transaction marks it as running, a second one ends it; none is open in between. The id of a vendor's job is stored
as soon as the vendor returns it.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path

import structlog

from hortus import routing, tasks
from hortus.core.db import Database, Tx
from hortus.core.events import Bus
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.generation import transitions
from hortus.generation.batches import Finished
from hortus.generation.collect import ResultCollector, job_of
from hortus.generation.outcome import failed, stopped, succeeded
from hortus.generation.provider_request import SourceMissing, provider_request, read_sources
from hortus.generation.sizes import accepted_size
from hortus.generation.state import GenerationState
from hortus.generation.tables import Generation
from hortus.generation.transitions import Outcome, end
from hortus.providers import (
    Pollable,
    Registry,
)
from hortus.routing import Catalog, OfferHealth, Route

log = structlog.get_logger()


async def run(resources: Resources, task: tasks.ClaimedTask) -> None:
    """The task of every generation. Returns when it has ended, in this process or another."""
    generation_id = task.payload["id"]
    with resources[GenerationState].cancellations.cancelled(generation_id) as cancelled:
        generation = await _mark_running(resources, task)
        if generation is None:
            return
        collector = ResultCollector(resources, generation)
        keep_files = False
        try:
            async with _workdir(generation.kind) as workdir:
                outcome = await _work_unless(cancelled, resources, generation, collector, workdir)
                keep_files = True  # until `finish` returns: a commit whose response was lost may have succeeded
                done = Finished(task, generation_id, outcome, collector.files, collector.job)
                keep_files = await resources[GenerationState].batches.finish(done) and outcome.status == "succeeded"
        except tasks.LeaseLost:
            keep_files = False
            raise
        finally:
            if not keep_files:
                with suppress(Exception):
                    await asyncio.shield(collector.discard())


async def _mark_running(resources: Resources, task: tasks.ClaimedTask) -> Generation | None:
    if not task.payload.get("running"):
        return await resources[GenerationState].batches.mark_running(task.payload["id"])
    async with resources[Database].snapshot() as tx:  # marked at acceptance already
        return await transitions.find_live(tx, task.payload["id"])


@cache
def _no_workdir() -> Path:
    return Path(tempfile.gettempdir()) / "hortus-none"


@asynccontextmanager
async def _workdir(kind: str) -> AsyncIterator[Path]:
    """A private empty folder for images and videos; text needs none and gets a path that does not exist."""
    if kind in ("text", "chat"):
        yield _no_workdir()
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
    """The outcome of the work, or of a stop: then the vendor's work is cancelled too."""
    if generation.stop_requested_at is not None:  # the process that had to stop it died, and its text is lost
        return Outcome("cancelled")
    work = asyncio.ensure_future(_work(resources, generation, collector, workdir))
    try:
        await asyncio.wait((work, cancelled), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        work.cancel()
        await asyncio.wait((work,))
        await _cancel_job(resources, collector)
        return stopped(generation, collector)
    finally:
        work.cancel()
        await asyncio.wait((work,))


async def _cancel_job(resources: Resources, collector: ResultCollector) -> None:
    if collector.job is None:
        return
    provider = resources[Registry].get(collector.job.provider)
    if isinstance(provider, Pollable):
        try:
            async with asyncio.timeout(10):
                await provider.cancel(collector.job.handle)
        except Exception:
            log.exception("vendor_cancel_failed", provider=collector.job.provider)


async def _work(resources: Resources, generation: Generation, collector: ResultCollector, workdir: Path) -> Outcome:
    settings = resources[Settings]
    seconds = {"image": settings.image_deadline_seconds, "video": settings.video_deadline_seconds}
    try:
        await resources[GenerationState].conversations.complete(generation)
        sources = await read_sources(resources, generation)
        route = _restore_route(resources, generation)
        result = await routing.generate(
            route,
            lambda choice, timeout: provider_request(generation, choice, timeout, sources, workdir),
            collector,
            resources[Registry],
            resources[OfferHealth],
            deadline=seconds.get(generation.kind, settings.text_deadline_seconds),
            trace=collector.trace,
            resume=job_of(generation),
        )
    except SourceMissing:
        return failed(generation, collector, "source_missing")
    except routing.ContentRejected as refused:
        return failed(generation, collector, refused.reason)
    except (routing.AllFailed, routing.NothingOffered) as error:
        return failed(generation, collector, error.code)
    return succeeded(generation, collector, result)


def _restore_route(resources: Resources, generation: Generation) -> Route:
    """The frozen route with the offers of today's catalogue."""
    return routing.restore_route(
        resources[Catalog],
        resources[Registry],
        generation.operation,  # type: ignore[arg-type]
        generation.quality,  # type: ignore[arg-type]
        [(entry["provider"], entry["vendor_model"]) for entry in generation.route],
        price=generation.price,
        size=accepted_size(generation.operation, generation.prompt, generation.params),
    )


async def give_up(tx: Tx, resources: Resources, task: tasks.ClaimedTask) -> None:
    """The task became a dead letter: end the generation as failed in the same transaction."""
    await end(tx, resources[Bus], task.payload["id"], Outcome("failed", "interrupted"))
