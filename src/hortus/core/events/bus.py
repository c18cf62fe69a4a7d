"""The event bus of a process: topics, their recent events, and subscribers.

Topics are short-lived streams such as `generation/<id>`. Ids grow within a topic, also across restarts, so a
subscriber can resume after the last id it received. Events are hints: the database is authoritative. A transport
carries events between processes.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

KEPT_EVENTS = 4096
KEPT_TOPICS = 2048


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `id` grows within its topic."""

    id: int
    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RemoteEvent:
    """An event of another process, with its sequence number there."""

    origin: str
    number: int
    event: Event


class EventTransport(Protocol):
    """Carries events between processes; publishing never waits for it."""

    def on_remote_events(self, callback: Callable[[str, Sequence[RemoteEvent]], None]) -> None:
        """Pass remote events on subscribed topics to `callback`, in the order of each origin, perhaps twice."""
        ...

    def send(self, topic: str, event: Event) -> None:
        """Send the event to the other processes, now or soon."""
        ...

    async def subscribe(self, topic: str) -> None:
        """Subscribe to `topic`; returns once its stored events were delivered, or cannot be in time."""
        ...

    def unsubscribe(self, topic: str) -> None:
        """Stop the subscription."""
        ...

    def is_connected(self, topic: str) -> bool:
        """Whether events of other processes on a subscribed topic arrive, as far as is known here."""
        ...


@dataclass(slots=True)
class _Topic:
    last: int = 0
    kept: deque[Event] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    wakeup: asyncio.Event = field(default_factory=asyncio.Event)
    subscribers: int = 0
    reading: int = 0
    last_numbers: dict[str, int] = field(default_factory=dict)

    def wake(self) -> None:
        self.wakeup.set()
        self.wakeup = asyncio.Event()


class Bus:
    """The bus of one process, connected to others by `transport`. Memory is bounded: old events and idle topics go.

    `single_process` is set on a bus without a transport when no other process publishes.
    """

    def __init__(self, transport: EventTransport | None = None) -> None:
        self.single_process = False
        self._topics: OrderedDict[str, _Topic] = OrderedDict()
        self._transport = transport
        if transport is not None:
            transport.on_remote_events(self._on_remote_events)

    def publish(self, topic: str, name: str, data: dict[str, Any]) -> int:
        """Deliver an event to the subscribers of `topic`; returns its id. Call it after the commit."""
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
        """Events of `topic` with an id above `after`, stored ones first, then new ones as they arrive.

        Yields None after `wait` seconds without an event: the time to poll the database and to send a keep-alive.
        While the bus receives all events, a longer `calm` replaces `wait`. Ends only when the subscriber stops.
        """
        found = self._topic(topic)
        found.subscribers += 1
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
            found.subscribers -= 1
            if self._transport is not None and not found.subscribers:
                self._transport.unsubscribe(topic)

    def _is_connected(self, topic: str) -> bool:
        return self.single_process if self._transport is None else self._transport.is_connected(topic)

    def _on_remote_events(self, topic: str, remote: Sequence[RemoteEvent]) -> None:
        """Insert remote events by id, or append them if a subscriber has read past that id."""
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
            self._drop_idle()
        self._topics.move_to_end(name)
        return found

    def _drop_idle(self) -> None:
        if len(self._topics) <= KEPT_TOPICS:
            return
        idle = next((name for name, topic in self._topics.items() if topic.subscribers == 0), None)
        if idle is not None:
            del self._topics[idle]
