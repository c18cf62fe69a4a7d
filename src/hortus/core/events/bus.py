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
class RemoteEvent:
    """An event that another process published, as its `number`-th."""

    origin: str
    number: int
    event: Event


class EventTransport(Protocol):
    """Carries events to other processes and theirs to us; never makes a publisher wait."""

    def on_remote_events(self, callback: Callable[[str, Sequence[RemoteEvent]], None]) -> None:
        """Hand in what other processes publish on the followed topics, each origin's in its order; again is fine."""
        ...

    def send(self, topic: str, event: Event) -> None:
        """Tell the other processes, now or soon."""
        ...

    async def subscribe(self, topic: str) -> None:
        """Hand in `topic` from now on; returns when its past has been handed in, or cannot be within a moment."""
        ...

    def unsubscribe(self, topic: str) -> None:
        """Hand it in no more."""
        ...

    def is_connected(self, topic: str) -> bool:
        """Whether what others publish on a followed topic arrives, as far as is known here."""
        ...


@dataclass(slots=True)
class _Topic:
    last: int = 0
    kept: deque[Event] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    wakeup: asyncio.Event = field(default_factory=asyncio.Event)
    listeners: int = 0
    reading: int = 0
    last_numbers: dict[str, int] = field(default_factory=dict)

    def wake(self) -> None:
        self.wakeup.set()
        self.wakeup = asyncio.Event()


class Bus:
    """The bus of one process, joined to others by `relay`. Memory is bounded: old events and idle topics go.

    `alone` says, to a bus without a relay, that no other process has anything to tell.
    """

    def __init__(self, transport: EventTransport | None = None) -> None:
        self.single_process = False
        self._topics: OrderedDict[str, _Topic] = OrderedDict()
        self._transport = transport
        if transport is not None:
            transport.on_remote_events(self._on_remote_events)

    def publish(self, topic: str, name: str, data: dict[str, Any]) -> int:
        """Tell everyone listening on `topic`; returns the id of the event. Call it after the commit."""
        found = self._topic(topic)
        found.last = max(found.last + 1, time.time_ns() // 1000)
        event = Event(found.last, name, data)
        found.kept.append(event)
        found.wake()
        if self._transport is not None:
            self._transport.send(topic, event)
        return found.last

    async def subscribe(
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
            if self._transport is not None:
                await self._transport.subscribe(topic)
            found.reading += 1
            read = True
            while True:
                wakeup = found.wakeup
                fresh = [event for event in found.kept if event.id > after] if found.last > after else ()
                for event in fresh:
                    after = event.id
                    yield event
                if fresh:
                    silent = 0.0
                    continue
                try:
                    async with asyncio.timeout(wait):
                        await wakeup.wait()
                except TimeoutError:
                    silent += wait
                    if silent < calm and self._is_connected(topic):
                        continue
                    silent = 0.0
                    yield None
        finally:
            found.reading -= read
            found.listeners -= 1
            if self._transport is not None and not found.listeners:
                self._transport.unsubscribe(topic)

    def _is_connected(self, topic: str) -> bool:
        return self.single_process if self._transport is None else self._transport.is_connected(topic)

    def _on_remote_events(self, topic: str, remote: Sequence[RemoteEvent]) -> None:
        """Put what others published in its place, or at the end where somebody has read past its place."""
        found = self._topic(topic)
        new = []
        for one in remote:
            if found.last_numbers.get(one.origin, 0) < one.number:
                found.last_numbers[one.origin] = one.number
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
        found.wake()

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


def bind(database: Database, bus: Bus) -> None:
    """Let every transaction of this database announce on this bus."""
    database.carried[_CARRIED] = bus


def publish_on_commit(tx: Tx, topic: str, name: str, data: dict[str, Any]) -> None:
    """Publish on the bus that `tx` carries, if any, once it has committed."""
    bus: Bus | None = tx.info.get(_CARRIED)
    if bus is not None:
        tx.after_commit(lambda: _publish(bus, topic, name, data))


def _publish(bus: Bus, topic: str, name: str, data: dict[str, Any]) -> None:
    bus.publish(topic, name, data)
