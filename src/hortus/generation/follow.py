"""Follow a generation as server-sent events: from the bus while it lasts, from the database always."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import structlog

from hortus import tasks
from hortus.core.db import Database
from hortus.core.events import Bus
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.sse import KEEP_ALIVE, frame
from hortus.generation import run as running
from hortus.generation import service, show
from hortus.generation.tables import LIVE, Generation

log = structlog.get_logger()
LOOK_SECONDS = 2.0
"""How often the database is asked when the bus is silent: another process may be at work."""


async def follow(resources: Resources, user_id: str, generation_id: str, after: int) -> AsyncGenerator[bytes, None]:
    """Frames until the end: `progress` and `delta` as they come, then one `done` or `error`.

    Resumes after the event id `after`. The last frame bears the whole generation.
    """
    bus = resources.get(Bus)
    generation = await _look(resources, user_id, generation_id)
    if generation.status in LIVE:
        yield frame("progress", {"generation_id": generation_id, "progress": generation.progress})
        seen = after
        async with contextlib.aclosing(bus.listen(service.topic_of(generation_id), after, LOOK_SECONDS)) as news:
            async for event in news:
                if event is not None and event.name in ("progress", "delta", "restart"):
                    seen = event.id
                    yield frame(event.name, event.data, event.id)
                    continue
                generation = await _look(resources, user_id, generation_id)
                if generation.status not in LIVE:
                    seen = event.id if event is not None else seen + 1
                    break
                yield KEEP_ALIVE
    else:
        seen = after + 1
    name = "done" if generation.status == "succeeded" else "error"
    shown = show.show(generation, resources.get(Settings)).model_dump(mode="json")
    yield frame(name, shown, seen)


async def _look(resources: Resources, user_id: str, generation_id: str) -> Generation:
    async with resources.get(Database).snapshot() as tx:
        return await service.find(tx, user_id, generation_id)


async def stream_inline(resources: Resources, claimed: tasks.Claimed, user_id: str) -> AsyncGenerator[bytes, None]:
    """Run a text generation here and now, sending its text as it comes.

    When the client goes away the vendor's work is stopped and the generation is cancelled:
    nothing is charged, the quota stays used once text was sent.
    """
    news: asyncio.Queue[tuple[str, dict[str, Any]] | None] = asyncio.Queue()
    engine = resources.get(tasks.EmbeddedEngine)
    generation_id: str = claimed.payload["id"]

    async def work() -> None:
        try:
            async with engine.holding(claimed):
                await running.run(resources, claimed, lambda name, data: news.put_nowait((name, data)))
        finally:
            news.put_nowait(None)

    number, sent = 0, False
    task = asyncio.ensure_future(work())
    try:
        yield frame("progress", {"generation_id": generation_id, "progress": 0}, number)
        while (item := await news.get()) is not None:
            number += 1
            sent = sent or item[0] == "delta"
            yield frame(item[0], item[1], number)
        with contextlib.suppress(tasks.LeaseLost):
            await task
        generation = await _look(resources, user_id, generation_id)
        name = "done" if generation.status == "succeeded" else "error"
        yield frame(name, show.show(generation, resources.get(Settings)).model_dump(mode="json"), number + 1)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
            await asyncio.shield(_abandon(resources, claimed, sent=sent))


async def _abandon(resources: Resources, claimed: tasks.Claimed, *, sent: bool) -> None:
    outcome = service.Outcome("cancelled", quota_used=sent)
    try:
        async with resources.get(Database).transaction() as tx:
            await service.end(tx, resources.get(Bus), claimed.payload["id"], outcome)
            await tasks.finish(tx, claimed)
    except tasks.LeaseLost:
        log.info("abandoned_generation_taken_over", generation_id=claimed.payload["id"])
