"""The event transport over Redis: a bounded stream per topic, and pub/sub for its subscribers.

Publishing never waits; events that Redis cannot take now are buffered, bounded, and sent when it is reachable again.
A subscriber first subscribes and then reads the stream, so no event is missed; after a lost connection it does both
again. Events may arrive twice, in the order of each publisher; their sequence numbers show it.
"""

import asyncio
import contextlib
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from hortus.core.background import cancel_and_wait, in_background
from hortus.core.events import Event, RemoteEvent
from hortus.core.redis import Redis, RedisDown

log = structlog.get_logger()
STREAM_EVENTS = 2000
STREAM_SECONDS = 900
KEPT_UNSENT = 10_000
BATCH = 256
TRIES = 3
SILENCE_SECONDS = 2.0
"""A connection that is silent for so long gets a PING, and is closed when the next interval is silent too."""
AGAIN_SECONDS = 0.2

_ADD = """
local at = 3
for _, key in ipairs(KEYS) do
  local last = 0
  local top = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
  if top[1] then last = tonumber(string.match(top[1][1], '^%d+')) end
  local ends = at + 2 * tonumber(ARGV[at])
  for i = at + 1, ends, 2 do
    last = math.max(last + 1, tonumber(ARGV[i]))
    local id = string.format('%.0f', last)
    redis.call('XADD', key, 'MAXLEN', '~', ARGV[1], id .. '-0', 'e', ARGV[i + 1])
    redis.call('PUBLISH', key, id .. ' ' .. ARGV[i + 1])
  end
  redis.call('EXPIRE', key, ARGV[2])
  at = ends + 1
end
"""
"""Each key is a topic; ARGV has the number of its events, then the events."""


@dataclass(slots=True)
class _Subscription:
    """One topic; `early` buffers events that arrive while its stream is being read."""

    caught_up: asyncio.Event = field(default_factory=asyncio.Event)
    early: list[RemoteEvent] | None = None
    round: int = 0


class RedisEventTransport:
    """The transport of one process. Open it after the bus was created, close it before Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._origin = secrets.token_hex(6)
        self._number = 0
        self._on_remote_events: Callable[[str, Sequence[RemoteEvent]], None] = lambda _topic, _events: None
        self._unsent: deque[tuple[str, int, str]] = deque(maxlen=KEPT_UNSENT)
        self._failures = 0
        self._sending: asyncio.Task[None] | None = None
        self._subscriptions: dict[str, _Subscription] = {}
        self._confirmed: set[str] = set()
        self._wanted = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._catching_up: set[asyncio.Task[None]] = set()
        redis.when_up(self._send_on)

    def on_remote_events(self, callback: Callable[[str, Sequence[RemoteEvent]], None]) -> None:
        """See `core.events.EventTransport`."""
        self._on_remote_events = callback

    def open(self) -> None:
        """Start to receive events; an unreachable Redis is retried."""
        self._reading = in_background(self._receive())

    async def close(self) -> None:
        """Send buffered events if that is possible at once, and stop receiving."""
        if self._sending is not None:
            await asyncio.wait((self._sending,), timeout=self._redis.timeout)
        for task in (self._sending, self._reading, *self._catching_up):
            await cancel_and_wait(task)

    # Out ----------------------------------------------------------------------

    def send(self, topic: str, event: Event) -> None:
        """See `core.events.EventTransport`."""
        self._number += 1
        wire = json.dumps([self._origin, self._number, event.name, event.data], separators=(",", ":"))
        self._unsent.append((topic, event.id, wire))
        self._send_on()

    def _send_on(self) -> None:
        if self._redis.up and (self._sending is None or self._sending.done()):
            self._sending = in_background(self._send_all())

    async def _send_all(self) -> None:
        while self._unsent and self._redis.up:
            batch = [self._unsent.popleft() for _ in range(min(BATCH, len(self._unsent)))]
            by_topic: dict[str, list[str | int]] = {}
            for topic, number, wire in batch:
                by_topic.setdefault(topic, []).extend((number, wire))
            events = [part for each in by_topic.values() for part in (len(each) // 2, *each)]
            try:
                await self._redis.run(
                    _ADD, [self._key(topic) for topic in by_topic], STREAM_EVENTS, STREAM_SECONDS, *events
                )
            except RedisDown:
                self._failures += 1
                if self._failures >= TRIES:  # Redis is reachable and rejects them
                    log.warning("events_dropped", topics=len(by_topic))
                    self._failures = 0
                    continue
                free = KEPT_UNSENT - len(self._unsent)
                self._unsent.extendleft(reversed(batch[-free:] if free else []))
            else:
                self._failures = 0

    # In -----------------------------------------------------------------------

    async def subscribe(self, topic: str) -> None:
        """See `core.events.EventTransport`."""
        subscription = self._subscriptions.get(topic)
        if subscription is None:
            subscription = self._subscriptions[topic] = _Subscription()
            if topic in self._confirmed:  # unsubscribed a moment ago
                self._begin(topic, subscription)
            self._wanted.set()
        if self._redis.up and not subscription.caught_up.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._redis.timeout):
                    await subscription.caught_up.wait()

    def unsubscribe(self, topic: str) -> None:
        """See `core.events.EventTransport`."""
        if self._subscriptions.pop(topic, None) is not None:
            self._wanted.set()

    def is_connected(self, topic: str) -> bool:
        """See `core.events.EventTransport`. A hanging connection is detected within twice SILENCE_SECONDS."""
        subscription = self._subscriptions.get(topic)
        return self._redis.up and subscription is not None and subscription.caught_up.is_set()

    async def _receive(self) -> None:
        while True:
            if not self._subscriptions:
                self._wanted.clear()
                await self._wanted.wait()
            if self._redis.up:
                try:
                    await self._session()
                except Exception as error:  # any error: reconnect
                    log.info("event_stream_disconnected", error=type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _session(self) -> None:
        """Receive over one connection, until it is lost."""
        connection = self._redis.connection(max(1.0, self._redis.timeout))
        self._wanted.set()
        subscribing: asyncio.Task[None] | None = None
        try:
            await connection.connect()
            subscribing = in_background(self._subscribe(connection))
            pinged = False
            while not subscribing.done():
                answer = await connection.read_response(timeout=SILENCE_SECONDS, disconnect_on_error=False)
                if answer is not None:
                    pinged = False
                    self._on_message(answer)
                elif pinged:
                    raise ConnectionError("silent")
                else:
                    pinged = True
                    await connection.send_command("PING")
            subscribing.result()
        finally:
            await cancel_and_wait(subscribing)
            await connection.disconnect(nowait=True)
            self._confirmed.clear()
            for subscription in self._subscriptions.values():
                subscription.caught_up.clear()
                subscription.early, subscription.round = None, subscription.round + 1

    async def _subscribe(self, connection: Any) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            new, left = self._subscriptions.keys() - self._confirmed, self._confirmed - self._subscriptions.keys()
            self._confirmed = set(self._subscriptions)
            if new:
                await connection.send_command("SUBSCRIBE", *map(self._key, new))
            if left:
                await connection.send_command("UNSUBSCRIBE", *map(self._key, left))

    def _on_message(self, answer: Any) -> None:
        if not isinstance(answer, list) or answer[0] not in (b"message", b"subscribe"):
            return
        topic = answer[1].decode().removeprefix(self._key(""))
        subscription = self._subscriptions.get(topic)
        if subscription is None:
            return
        if answer[0] == b"subscribe":
            self._begin(topic, subscription)
            return
        number, _, wire = answer[2].partition(b" ")
        remote = self._remote(int(number), wire)
        if remote is None:
            return
        if subscription.early is None:
            self._on_remote_events(topic, (remote,))
        else:
            subscription.early.append(remote)

    def _begin(self, topic: str, subscription: _Subscription) -> None:
        """Read the stream of a subscribed topic; events that arrive meanwhile are buffered."""
        subscription.early, subscription.round = [], subscription.round + 1
        task = in_background(self._catch_up(topic, subscription, subscription.round))
        self._catching_up.add(task)
        task.add_done_callback(self._catching_up.discard)

    async def _catch_up(self, topic: str, subscription: _Subscription, round: int) -> None:
        past: list[RemoteEvent] = []
        complete = False
        with contextlib.suppress(RedisDown):
            for number, (_, wire) in await self._redis.ask("XRANGE", self._key(topic), "-", "+"):
                remote = self._remote(int(number.partition(b"-")[0]), wire)
                if remote is not None:
                    past.append(remote)
            complete = True
        is_current = self._subscriptions.get(topic) is subscription and subscription.round == round
        if not is_current or subscription.early is None:
            return
        self._on_remote_events(topic, [*past, *subscription.early])
        subscription.early = None
        if complete:
            subscription.caught_up.set()
            return
        await asyncio.sleep(AGAIN_SECONDS)
        is_current = self._subscriptions.get(topic) is subscription and subscription.round == round
        if is_current and topic in self._confirmed:
            self._begin(topic, subscription)

    def _remote(self, id: int, wire: bytes) -> RemoteEvent | None:
        """None for events of this process, which were delivered when they were published."""
        if wire.startswith(f'["{self._origin}"'.encode()):
            return None
        origin, number, name, data = json.loads(wire)
        return RemoteEvent(origin, number, Event(id, name, data))

    def _key(self, topic: str) -> str:
        return f"{self._redis.prefix}events:{topic}"


@asynccontextmanager
async def open_event_transport(redis: Redis | None) -> AsyncIterator[RedisEventTransport | None]:
    """The transport that joins the event buses of all processes; None without Redis."""
    if redis is None:
        yield None
        return
    transport = RedisEventTransport(redis)
    transport.open()
    try:
        yield transport
    finally:
        await transport.close()
