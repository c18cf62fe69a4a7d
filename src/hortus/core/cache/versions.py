"""In-process cache with version tags, shared by all processes through Redis.

A reader fetches the current versions of the names that an entry depends on before it reads the database, and stores
the value under them. The entry is valid while these versions are unchanged. A writer changes the versions after its
commit and before its response, so no later call sees the old value. Versions are random and never reused; when they
are lost or unknown, the database is read.
"""

import asyncio
import itertools
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from hortus.core.background import in_background
from hortus.core.redis import Redis, RedisDown
from hortus.core.telemetry import metrics

V = TypeVar("V")
KEPT_NAMES = 50_000
STAMP_MS = 24 * 3600 * 1000
LEASE_SECONDS = 2.0
"""How long a process that an invalidation cannot reach may use its entries."""
_Wanted = tuple[tuple[str, ...], str, str]
"""Names, part and version of an entry that is being read."""


class CacheVersions(Protocol):
    """The versions of names."""

    lease: float
    """Maximum age in seconds of entries whose invalidation must be awaited."""

    async def current(self, names: tuple[str, ...]) -> str | None:
        """The combined version of `names`; None if it is unknown."""
        ...

    def invalidate(self, names: tuple[str, ...], wait: float) -> Awaitable[None]:
        """Invalidate all entries that depend on any of `names`, in every process.

        It takes place without being awaited. Awaited, it returns once it is confirmed, after `wait` seconds at the
        latest: entries of at most that age have then expired.
        """
        ...


class LocalCacheVersions:
    """Versions in memory, for a single process."""

    lease = float("inf")

    def __init__(self) -> None:
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._next = itertools.count(1)

    async def current(self, names: tuple[str, ...]) -> str | None:
        """The versions, which are always known."""
        return ":".join(str(self._number(name)) for name in names)

    def invalidate(self, names: tuple[str, ...], wait: float) -> Awaitable[None]:
        """Takes effect immediately."""
        for name in names:
            self._numbers.pop(name, None)
        return _DONE

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = next(self._next)
            if len(self._numbers) > KEPT_NAMES:
                self._numbers.popitem(last=False)
        return number


class RedisCacheVersions:
    """Versions in Redis. While it is unreachable no entry is valid here, and invalidations wait until entries of other
    processes have expired.
    """

    lease = LEASE_SECONDS

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pending: OrderedDict[str, object] = OrderedDict()
        self._sending: set[asyncio.Future[None]] = set()
        redis.when_up(self._flush_pending)

    async def current(self, names: tuple[str, ...]) -> str | None:
        """One round trip; a second one for names without a version."""
        if any(name in self._pending for name in names):
            return None
        keys = [self._key(name) for name in names]
        try:
            found: list[bytes | None] = await self._redis.ask("MGET", *keys)
            if None in found:
                missing = [key for key, version in zip(keys, found, strict=True) if version is None]
                new = [self._redis.ask("SET", key, secrets.token_hex(8), "NX", "PX", STAMP_MS) for key in missing]
                *_, found = await asyncio.gather(*new, self._redis.ask("MGET", *keys))
        except RedisDown:
            return None
        if any(version is None for version in found):
            return None
        # A version from an older connection may stem from a server that was replaced and missed an invalidation.
        return ":".join([str(self._redis.epoch), *(version.decode() for version in found if version is not None)])

    def invalidate(self, names: tuple[str, ...], wait: float) -> Awaitable[None]:
        """Sent to Redis now, or once it is reachable again."""
        tokens = {name: object() for name in names}
        self._pending.update(tokens)
        while len(self._pending) > KEPT_NAMES:
            self._pending.popitem(last=False)
        sending = asyncio.ensure_future(self._send(tokens, wait))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        return asyncio.shield(sending)

    async def _send(self, tokens: dict[str, object], wait: float) -> None:
        until = time.monotonic() + wait
        while True:
            try:
                await self._redis.ask("DEL", *(self._key(name) for name in tokens))
                break
            except RedisDown:
                left = until - time.monotonic()
                if left <= 0:
                    return  # still pending: `_flush_pending` when Redis is back
                await asyncio.sleep(min(left, 0.1))
        for name, token in tokens.items():
            if self._pending.get(name) is token:
                del self._pending[name]

    def _flush_pending(self) -> None:
        names = list(self._pending)
        for start in range(0, len(names), 500):
            self.invalidate(tuple(names[start : start + 500]), 0)

    def _key(self, name: str) -> str:
        return f"{self._redis.prefix}version:{name}"


class _Done:
    """An awaitable that returns immediately, without a warning if it is not awaited."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


_DONE = _Done()


# Cache ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CacheLookup(Generic[V]):
    """The cached value, if any, and the versions under which `store` may put the value that is read instead."""

    value: V | None
    names: tuple[str, ...]
    part: str = ""
    version: str | None = None
    at: float = 0.0


@dataclass(slots=True)
class _Entry(Generic[V]):
    version: str
    parts: dict[str, tuple[float, V]] = field(default_factory=dict)


class VersionedCache(Generic[V]):
    """Entries of this process, valid for at most `seconds` and while their versions are current. 0 disables it."""

    def __init__(
        self, versions: CacheVersions, seconds: float, *, size: int = 10_000, parts: int = 20, name: str = "other"
    ) -> None:
        self._stats = metrics.CacheStats(name)
        self._versions, self.seconds = versions, seconds
        self._size, self._parts = size, parts
        self._entries: OrderedDict[tuple[str, ...], _Entry[V]] = OrderedDict()
        self._reading: dict[_Wanted, asyncio.Task[V]] = {}

    async def get(self, names: tuple[str, ...], read: Callable[[], Awaitable[V]], part: str = "") -> V:
        """The cached value of `names`, else the result of `read`, which is then stored."""
        lookup = await self.lookup(names, part)
        if lookup.value is not None:
            return lookup.value
        if lookup.version is None:
            return await read()
        # Concurrent misses of an entry share one read, which started under the version that they found.
        wanted = (names, part, lookup.version)
        reading = self._reading.get(wanted)
        if reading is None:
            reading = self._reading[wanted] = in_background(self._read(lookup, read))
            reading.add_done_callback(lambda done: self._end_read(wanted, done))
        return await asyncio.shield(reading)

    async def _read(self, lookup: CacheLookup[V], read: Callable[[], Awaitable[V]]) -> V:
        value = await read()
        self.store(lookup, value)
        return value

    def _end_read(self, wanted: _Wanted, done: asyncio.Task[V]) -> None:
        del self._reading[wanted]
        if not done.cancelled():
            done.exception()  # every caller may have been cancelled

    async def lookup(self, names: tuple[str, ...], part: str = "") -> CacheLookup[V]:
        """The cached value of `names`; call it before reading the database."""
        if self.seconds <= 0:
            return CacheLookup(None, names)
        at = time.monotonic()
        version = await self._versions.current(names)
        entry = self._entries.get(names)
        if version is None or entry is None or entry.version != version:
            self._stats.miss.inc()
            return CacheLookup(None, names, part, version, at)
        until, value = entry.parts.get(part, (0.0, None))
        if until <= time.monotonic():
            value = None
        (self._stats.miss if value is None else self._stats.hit).inc()
        return CacheLookup(value, names, part, version, at)

    def store(self, lookup: CacheLookup[V], value: V) -> None:
        """Store the value that was read after `lookup`, with its time; without effect once a version has changed."""
        if lookup.version is None:
            return
        entry = self._entries.get(lookup.names)
        if entry is None or entry.version != lookup.version:
            entry = self._entries[lookup.names] = _Entry(lookup.version)
        self._entries.move_to_end(lookup.names)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
        if len(entry.parts) >= self._parts:
            entry.parts.clear()
        entry.parts[lookup.part] = (lookup.at + self.seconds, value)

    def invalidate(self, names: tuple[str, ...], wait: float = 0.0) -> Awaitable[None]:
        """Call it after the commit of a change; await it if the next call in any process must see the change."""
        return self._versions.invalidate(names, wait)


def open_cache_versions(redis: Redis | None) -> CacheVersions:
    """Versions shared through Redis; without it, those of this process."""
    return LocalCacheVersions() if redis is None else RedisCacheVersions(redis)
