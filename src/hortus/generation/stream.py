"""Stream a generation as server-sent events, from the bus and the database."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import structlog

from hortus import tasks
from hortus.core.db import Database
from hortus.core.events import Bus
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.web.sse import FINAL_ID, KEEP_ALIVE, frame
from hortus.generation import serialize, service
from hortus.generation.batches import Finished
from hortus.generation.cancellation import SETTLES_WITHIN
from hortus.generation.state import GenerationState
from hortus.generation.tables import LIVE, Generation
from hortus.generation.transitions import Outcome, topic_of

log = structlog.get_logger()
POLL_SECONDS = 2.0
"""How often the database is polled while no event arrives and another process may run it without events."""
CONNECTED_POLL_SECONDS = 15.0
"""How often while the bus carries the events of every process: one may die between its commit and its event."""


async def follow(
    resources: Resources, user_id: str, generation_id: str, after: int, *, just_started: bool = False
) -> AsyncGenerator[bytes, None]:
    """Frames until the end: `progress` and `delta` as they come, then one `done` or `error`.

    Resumes after the event id `after`. The last frame bears the whole generation, and the id `FINAL_ID`. With
    `just_started` it is live and the user's, and the first query is saved.
    """
    bus = resources[Bus]
    generation = None if just_started else await _read(resources, user_id, generation_id)
    if generation is None or generation.status in LIVE:
        progress = 0 if generation is None else generation.progress
        yield frame("progress", {"generation_id": generation_id, "progress": progress})
        listening = bus.subscribe(topic_of(generation_id), after, POLL_SECONDS, CONNECTED_POLL_SECONDS)
        async with contextlib.aclosing(listening) as events:
            async for event in events:
                if event is not None and event.name in ("progress", "delta", "restart"):
                    yield frame(event.name, event.data, event.id)
                    continue
                generation = await _read(resources, user_id, generation_id)
                if generation.status not in LIVE:
                    break
                yield KEEP_ALIVE
    generation = generation or await _read(resources, user_id, generation_id)
    name = "done" if generation.status == "succeeded" else "error"
    shown = serialize.generation_out(generation, resources[Settings]).model_dump(mode="json")
    yield frame(name, shown, FINAL_ID)


async def _read(resources: Resources, user_id: str, generation_id: str) -> Generation:
    async with resources[Database].snapshot() as tx:
        return await service.find(tx, user_id, generation_id)


async def stream_inline(resources: Resources, claimed: tasks.ClaimedTask, user_id: str) -> AsyncGenerator[bytes, None]:
    """Run a text generation here and now, sending its text as it comes.

    When the client disconnects, the vendor's work is stopped and the generation is cancelled; text written until then
    is charged.
    """
    generation_id = claimed.payload["id"]
    work = asyncio.ensure_future(work_inline(resources, claimed))
    try:
        own = follow(resources, user_id, generation_id, 0, just_started=True)
        async with contextlib.aclosing(own) as frames:
            async for one in frames:
                yield one
        await asyncio.wait((work,))
    finally:
        if not work.done() and resources[GenerationState].cancellations.stop(generation_id):
            await asyncio.wait((work,), timeout=SETTLES_WITHIN)
        if not work.done():
            work.cancel()
            await asyncio.wait((work,))
            await asyncio.shield(_abandon(resources, claimed))


async def work_inline(resources: Resources, claimed: tasks.ClaimedTask) -> None:
    """Run a task that this process claimed at acceptance, under its lease."""
    with contextlib.suppress(tasks.LeaseLost):
        async with resources[tasks.EmbeddedEngine].holding(claimed):
            await tasks.run_one(resources, claimed)


async def wait_ended(resources: Resources, user_id: str, generation_id: str) -> Generation:
    """The generation once it has ended, in whichever process it runs."""
    async with contextlib.aclosing(follow(resources, user_id, generation_id, 0)) as frames:
        async for _ in frames:
            pass
    return await _read(resources, user_id, generation_id)


async def _abandon(resources: Resources, claimed: tasks.ClaimedTask) -> None:
    generation_id = claimed.payload["id"]
    try:
        await resources[GenerationState].batches.finish(Finished(claimed, generation_id, Outcome("cancelled")))
    except tasks.LeaseLost:
        log.info("abandoned_generation_taken_over", generation_id=generation_id)
