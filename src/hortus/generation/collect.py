"""Collects the output of offers for one generation, and publishes it as it arrives."""

import time
from typing import Any

from hortus import files
from hortus.core.db import Database
from hortus.core.events import Bus
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.generation import transitions
from hortus.generation.event_context import EventContext
from hortus.generation.tables import Generation
from hortus.generation.transitions import topic_of
from hortus.providers import Output, Unavailable, Usage
from hortus.routing import AttemptListener, Choice, Job, Trace
from hortus.storage import Storage

PROGRESS_SECONDS = 1.0
"""How often progress is written to the database at most."""
LONGEST_TEXT = 200_000
"""Characters after which an answer is refused as endless."""


class ResultCollector(AttemptListener):
    """Collects and verifies the text and the files of each attempt, and publishes its events."""

    def __init__(self, resources: Resources, generation: Generation) -> None:
        self._database = resources[Database]
        self._storage = resources[Storage]
        self._settings = resources[Settings]
        self._bus = resources[Bus]
        self._generation = generation
        context = EventContext.of(generation.params)
        self._topics = [topic_of(generation.id)] if context is None else [topic_of(generation.id), context.topic]
        self._fields = {"generation_id": generation.id} | (context.fields if context is not None else {})
        self._stored_progress_at = 0.0
        self.trace = Trace()
        self.choice: Choice | None = None
        self.pieces: list[str] = []
        self.length = 0
        self.reported: Usage | None = None
        """The usage that the vendor reported for exactly these pieces; None where it reported none."""
        self.files: list[files.NewFile] = []
        self.job = job_of(generation)

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.pieces)

    async def on_attempt(self, choice: Choice) -> None:
        """Discard the output of an earlier attempt."""
        if self.pieces:
            self._publish("restart", {})
        await self.discard()
        self.choice = choice
        self._publish("progress", {"progress": self._generation.progress, "provider": choice.offer.provider})

    async def on_job(self, choice: Choice, handle: str) -> None:
        """Store the vendor's job id."""
        self.job = Job(choice.offer.provider, choice.offer.model, handle)
        async with self._database.transaction() as tx:
            await transitions.store_job(tx, self._generation.id, choice.offer.provider, choice.offer.model, handle)

    async def on_progress(self, percent: int) -> None:
        """Publish it, and store it once a second."""
        shown = min(percent, 99)
        self._publish("progress", {"progress": shown})
        if time.monotonic() - self._stored_progress_at >= PROGRESS_SECONDS:
            self._stored_progress_at = time.monotonic()
            async with self._database.transaction() as tx:
                await transitions.store_progress(tx, self._generation.id, shown)

    async def on_delta(self, text: str, usage: Usage | None) -> None:
        """Append and publish a piece of text. Raises Unavailable where the text grows without end."""
        # PostgreSQL stores no null bytes.
        clean = text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
        self.length += len(clean)
        if self.length > LONGEST_TEXT:
            raise Unavailable("the answer never ends")
        self.pieces.append(clean)
        self.reported = usage
        self._publish("delta", {"text": clean})

    async def on_output(self, output: Output) -> None:
        """Put an image or a video into storage. Raises Unavailable where it is neither."""
        expected = "video" if self._generation.kind == "video" else "image"
        number = len(self.files) + 1
        try:
            stored = await files.prepare_output(
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
        self.files.append(stored)

    async def on_complete(self) -> None:
        """Check that nothing is missing, and drop outputs beyond the requested number."""
        kind = self._generation.kind
        if kind in ("text", "chat") and not self.text.strip():
            raise Unavailable("the answer is empty")
        count = self._generation.params.get("count", 1) if kind == "image" else 1
        if kind in ("image", "video") and len(self.files) < count:
            raise Unavailable(f"{len(self.files)} of {count} outputs arrived")
        del self.files[count:]

    async def discard(self) -> None:
        """Delete the output of an attempt."""
        self.pieces.clear()
        self.length, self.reported = 0, None
        for stored in self.files:
            await self._storage.delete(stored.storage_key)
        self.files.clear()

    def _publish(self, name: str, data: dict[str, Any]) -> None:
        for topic in self._topics:
            self._bus.publish(topic, name, self._fields | data)


def job_of(generation: Generation) -> Job | None:
    """The vendor's job that an earlier process started."""
    if generation.job_handle and generation.job_provider and generation.job_model:
        return Job(generation.job_provider, generation.job_model, generation.job_handle)
    return None
