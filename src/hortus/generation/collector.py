"""What an offer delivers for one generation, as it arrives."""

import time
from typing import Any

from hortus import files
from hortus.core.db import Database
from hortus.core.events import Bus
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.generation import running
from hortus.generation.ending import topic_of
from hortus.generation.tables import Generation
from hortus.providers import Output, Unavailable, Usage
from hortus.routing import Choice, Job, Trace
from hortus.storage import Storage

PROGRESS_SECONDS = 1.0
"""How often progress is written to the database at most."""
LONGEST_TEXT = 200_000
"""Characters after which an answer is refused as endless."""


class Collector:
    """Collects what an offer delivers, verifies it, and tells the news."""

    def __init__(self, resources: Resources, generation: Generation) -> None:
        self._database = resources.get(Database)
        self._storage = resources.get(Storage)
        self._settings = resources.get(Settings)
        self._bus = resources.get(Bus)
        self._generation = generation
        self._topics = [topic_of(generation.id), *generation.asked.get("topics", ())]
        self._marks = dict(generation.asked.get("marks", {}))
        self._noted = 0.0
        self.trace = Trace()
        self.choice: Choice | None = None
        self.pieces: list[str] = []
        self.length = 0
        self.reported: Usage | None = None
        """What the vendor says was used for exactly these pieces; None where it has not said."""
        self.files: list[files.NewFile] = []
        self.job = job_of(generation)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    async def attempt(self, choice: Choice) -> None:
        if self.pieces:
            self._tell("restart", {})
        await self.discard()
        self.choice = choice
        self._tell("progress", {"progress": self._generation.progress, "provider": choice.offer.provider})

    async def job_started(self, choice: Choice, handle: str) -> None:
        self.job = Job(choice.offer.provider, choice.offer.model, handle)
        async with self._database.transaction() as tx:
            await running.note_job(tx, self._generation.id, choice.offer.provider, choice.offer.model, handle)

    async def progress(self, percent: int) -> None:
        shown = min(percent, 99)
        self._tell("progress", {"progress": shown})
        if time.monotonic() - self._noted >= PROGRESS_SECONDS:
            self._noted = time.monotonic()
            async with self._database.transaction() as tx:
                await running.note_progress(tx, self._generation.id, shown)

    async def delta(self, text: str, usage: Usage | None) -> None:
        # PostgreSQL keeps no null bytes, and nobody wants them.
        clean = text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
        self.length += len(clean)
        if self.length > LONGEST_TEXT:
            raise Unavailable("the answer never ends")
        self.pieces.append(clean)
        self.reported = usage
        self._tell("delta", {"text": clean})

    async def output(self, output: Output) -> None:
        expected = "video" if self._generation.kind == "video" else "image"
        number = len(self.files) + 1
        try:
            kept = await files.prepare_output(
                self._storage,
                self._settings,
                user_id=self._generation.user_id,
                content=output.content,
                expected=expected,
                generation_id=self._generation.id,
                filename=f"{self._generation.kind}-{self._generation.id[-8:]}-{number}",
            )
        except files.NotMedia as error:
            raise Unavailable(f"the provider's {expected} is none: {error}") from error
        self.files.append(kept)

    async def complete(self) -> None:
        kind = self._generation.kind
        if kind in ("text", "chat") and not self.text.strip():
            raise Unavailable("the answer is empty")
        wanted = self._generation.asked.get("count", 1) if kind == "image" else 1
        if kind in ("image", "video") and len(self.files) < wanted:
            raise Unavailable(f"{len(self.files)} of {wanted} outputs arrived")
        del self.files[wanted:]

    async def discard(self) -> None:
        """Throw away what an attempt left behind."""
        self.pieces.clear()
        self.length, self.reported = 0, None
        for kept in self.files:
            await self._storage.delete(kept.storage_key)
        self.files.clear()

    def _tell(self, name: str, data: dict[str, Any]) -> None:
        for topic in self._topics:
            self._bus.publish(topic, name, {"generation_id": self._generation.id, **self._marks, **data})


class RoutingSink:
    """The shape `routing.generate` speaks to."""

    def __init__(self, sink: Collector) -> None:
        self.attempt = sink.attempt
        self.job = sink.job_started
        self.progress = sink.progress
        self.delta = sink.delta
        self.output = sink.output
        self.complete = sink.complete


def job_of(generation: Generation) -> Job | None:
    """The vendor's job that an earlier process started."""
    if generation.job_handle and generation.job_provider and generation.job_model:
        return Job(generation.job_provider, generation.job_model, generation.job_handle)
    return None
