"""The event bus: what happens now, told to whoever is listening.

Topics are short-lived streams such as `generation/<id>`. Ids grow within a topic, also
across restarts, so a listener can resume with the last id it saw. The bus only carries
news; the truth is in the database.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

KEPT_EVENTS = 4096
KEPT_TOPICS = 2048


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of news. `id` grows within its topic."""

    id: int
    name: str
    data: dict[str, Any]


@dataclass(slots=True)
class _Topic:
    last: int = 0
    kept: deque[Event] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    news: asyncio.Event = field(default_factory=asyncio.Event)
    listeners: int = 0


class Bus:
    """The bus of one process. Memory is bounded: old events and idle topics are forgotten."""

    def __init__(self) -> None:
        self._topics: OrderedDict[str, _Topic] = OrderedDict()

    def publish(self, topic: str, name: str, data: dict[str, Any]) -> int:
        """Tell everyone listening on `topic`; returns the id of the event. Call it after the commit."""
        found = self._topic(topic)
        found.last = max(found.last + 1, time.time_ns() // 1000)
        found.kept.append(Event(found.last, name, data))
        found.news.set()
        found.news = asyncio.Event()
        return found.last

    async def listen(self, topic: str, after: int = 0, wait: float = 15.0) -> AsyncGenerator[Event | None, None]:
        """Events of `topic` with an id above `after`, kept ones first, then as they come.

        Yields None after `wait` seconds of silence: the moment to look at the database
        and to send a keep-alive. Ends only when the listener stops.
        """
        found = self._topic(topic)
        found.listeners += 1
        try:
            while True:
                news = found.news
                fresh = [event for event in found.kept if event.id > after]
                for event in fresh:
                    after = event.id
                    yield event
                if fresh:
                    continue
                try:
                    async with asyncio.timeout(wait):
                        await news.wait()
                except TimeoutError:
                    yield None
        finally:
            found.listeners -= 1

    def _topic(self, name: str) -> _Topic:
        found = self._topics.get(name)
        if found is None:
            found = self._topics[name] = _Topic()
            self._forget_idle()
        self._topics.move_to_end(name)
        return found

    def _forget_idle(self) -> None:
        if len(self._topics) <= KEPT_TOPICS:
            return
        idle = next((name for name, topic in self._topics.items() if topic.listeners == 0), None)
        if idle is not None:
            del self._topics[idle]
