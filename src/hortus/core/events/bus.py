"""The event bus: what happens now, told to whoever is listening.

Topics are short-lived streams such as `generation/<id>`. Ids grow within a topic, also
across restarts, so a listener can resume with the last id it saw. The bus only carries
news; the truth is in the database. A relay carries the news between processes.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hortus.core.db import Database, Tx

KEPT_EVENTS = 4096
KEPT_TOPICS = 2048
_CARRIED = "hortus.events"


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of news. `id` grows within its topic."""

    id: int
    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Foreign:
    """An event that another process published, as its `number`-th."""

    origin: str
    number: int
    event: Event


class Relay(Protocol):
    """Carries events to other processes and theirs to us; never makes a publisher wait."""

    def deliver_to(self, take_in: Callable[[str, Sequence[Foreign]], None]) -> None:
        """Hand in what other processes publish on the followed topics, each origin's in its order; again is fine."""
        ...

    def send(self, topic: str, event: Event) -> None:
        """Tell the other processes, now or soon."""
        ...

    async def follow(self, topic: str) -> None:
        """Hand in `topic` from now on; returns when its past has been handed in, or cannot be within a moment."""
        ...

    def leave(self, topic: str) -> None:
        """Hand it in no more."""
        ...

    def hears(self, topic: str) -> bool:
        """Whether what others publish on a followed topic arrives, as far as is known here."""
        ...


@dataclass(slots=True)
class _Topic:
    last: int = 0
    kept: deque[Event] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    news: asyncio.Event = field(default_factory=asyncio.Event)
    listeners: int = 0
    reading: int = 0
    heard: dict[str, int] = field(default_factory=dict)

    def ring(self) -> None:
        self.news.set()
        self.news = asyncio.Event()


class Bus:
    """The bus of one process, joined to others by `relay`. Memory is bounded: old events and idle topics go.

    `alone` says, to a bus without a relay, that no other process has anything to tell.
    """

    def __init__(self, relay: Relay | None = None) -> None:
        self.alone = False
        self._topics: OrderedDict[str, _Topic] = OrderedDict()
        self._relay = relay
        if relay is not None:
            relay.deliver_to(self._take_in)

    def publish(self, topic: str, name: str, data: dict[str, Any]) -> int:
        """Tell everyone listening on `topic`; returns the id of the event. Call it after the commit."""
        found = self._topic(topic)
        found.last = max(found.last + 1, time.time_ns() // 1000)
        event = Event(found.last, name, data)
        found.kept.append(event)
        found.ring()
        if self._relay is not None:
            self._relay.send(topic, event)
        return found.last

    async def listen(
        self, topic: str, after: int = 0, wait: float = 15.0, calm: float = 0.0
    ) -> AsyncGenerator[Event | None, None]:
        """Events of `topic` with an id above `after`, kept ones first, then as they come.

        Yields None after `wait` seconds of silence: the moment to look at the database
        and to send a keep-alive. A longer `calm` takes its place for as long as nothing can
        happen unheard; once something can, None comes within `wait` seconds. Ends only when
        the listener stops.
        """
        found = self._topic(topic)
        found.listeners += 1
        read, silent = False, 0.0
        try:
            if self._relay is not None:
                await self._relay.follow(topic)
            found.reading += 1
            read = True
            while True:
                news = found.news
                fresh = [event for event in found.kept if event.id > after] if found.last > after else ()
                for event in fresh:
                    after = event.id
                    yield event
                if fresh:
                    silent = 0.0
                    continue
                try:
                    async with asyncio.timeout(wait):
                        await news.wait()
                except TimeoutError:
                    silent += wait
                    if silent < calm and self._hears(topic):
                        continue
                    silent = 0.0
                    yield None
        finally:
            found.reading -= read
            found.listeners -= 1
            if self._relay is not None and not found.listeners:
                self._relay.leave(topic)

    def _hears(self, topic: str) -> bool:
        return self.alone if self._relay is None else self._relay.hears(topic)

    def _take_in(self, topic: str, foreign: Sequence[Foreign]) -> None:
        """Put what others published in its place, or at the end where somebody has read past its place."""
        found = self._topic(topic)
        new = []
        for one in foreign:
            if found.heard.get(one.origin, 0) < one.number:
                found.heard[one.origin] = one.number
                new.append(one.event)
        if not new:
            return
        if not found.reading:
            new = sorted([*found.kept, *new], key=lambda event: event.id)
            found.kept.clear()
            found.last = 0
        for event in new:
            found.last = max(found.last + 1, event.id)
            found.kept.append(event if event.id == found.last else Event(found.last, event.name, event.data))
        found.ring()

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


def carry(database: Database, bus: Bus) -> None:
    """Let every transaction of this database announce on this bus."""
    database.carried[_CARRIED] = bus


def announce(tx: Tx, topic: str, name: str, data: dict[str, Any]) -> None:
    """Publish on the bus that `tx` carries, if any, once it has committed."""
    bus: Bus | None = tx.info.get(_CARRIED)
    if bus is not None:
        tx.after_commit(lambda: _publish(bus, topic, name, data))


def _publish(bus: Bus, topic: str, name: str, data: dict[str, Any]) -> None:
    bus.publish(topic, name, data)
