"""What a process may remember: only as long as a stamp, shared by all processes, has not changed.

A reader asks for the stamps of a thing before it reads the database, and keeps what it read under them. Next
time it is used only while the stamps are the same. A writer changes the stamps after its commit and before its
answer, so no call that follows sees the old. CacheVersions are random and never come back; when they are lost,
or nobody can tell, the database is asked.
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
from hortus.core.db import Database, Tx
from hortus.core.redis import Redis, RedisDown
from hortus.core.telemetry import metrics

V = TypeVar("V")
KEPT_NAMES = 50_000
STAMP_MS = 24 * 3600 * 1000
LEASE_SECONDS = 2.0
"""How long what was read may be relied on by somebody whom a change cannot reach."""
_Wanted = tuple[tuple[str, ...], str, str]
"""The names, the part and the stamp of something that is being read."""
_CARRIED, _PENDING = "hortus.cache", "hortus.cache.pending"


class CacheVersions(Protocol):
    """Names and their stamps."""

    lease: float
    """The longest time in seconds for which `VersionedCache` may be kept where changes must be waited for."""

    async def current(self, names: tuple[str, ...]) -> str | None:
        """The stamps of `names` as one; None when nobody can tell."""
        ...

    def invalidate(self, names: tuple[str, ...], wait: float) -> Awaitable[None]:
        """Make what is kept under any of `names` worthless, everywhere.

        It happens without being awaited; awaited, it returns when it is certain, and after `wait` seconds
        at the latest: what is kept no longer than that has then run out.
        """
        ...


def bind(database: Database, versions: CacheVersions) -> None:
    """Let every transaction of this database change these stamps."""
    database.carried[_CARRIED] = versions


def invalidate(tx: Tx, *names: str, wait: bool = True) -> None:
    """Change the stamps of `names` once `tx` has committed, before the answer is sent.

    With `wait` the answer is held back until the change has reached everybody, or until what it could
    not reach has run out: `lease` seconds at most. Without, nobody waits for a Redis that is away.
    """
    versions: CacheVersions | None = tx.info.get(_CARRIED)
    if versions is None or not names:
        return
    pending: dict[bool, list[str]] = tx.info.setdefault(_PENDING, {})
    if wait in pending:
        pending[wait] += names
        return
    listed = pending[wait] = list(names)
    seconds = versions.lease if wait else 0.0
    tx.after_commit(lambda: versions.invalidate(tuple(listed), seconds))


class LocalCacheVersions:
    """The stamps of one process that is alone."""

    lease = float("inf")

    def __init__(self) -> None:
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._next = itertools.count(1)

    async def current(self, names: tuple[str, ...]) -> str | None:
        """Always known."""
        return ":".join(str(self._number(name)) for name in names)

    def invalidate(self, names: tuple[str, ...], wait: float) -> Awaitable[None]:
        """At once."""
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
    """CacheVersions in Redis. Cut off from it, nothing is trusted here, and a change waits out the others' trust."""

    lease = LEASE_SECONDS

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._owed: OrderedDict[str, object] = OrderedDict()
        self._paying: set[asyncio.Future[None]] = set()
        redis.when_up(self._pay_all)

    async def current(self, names: tuple[str, ...]) -> str | None:
        """One round trip; a second one the first time a name is met."""
        if any(name in self._owed for name in names):
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
        # A stamp learnt on an older connection may be that of a server replaced by one that missed a change.
        return ":".join([str(self._redis.epoch), *(version.decode() for version in found if version is not None)])

    def invalidate(self, names: tuple[str, ...], wait: float) -> Awaitable[None]:
        """Told to Redis now, or as soon as it is back."""
        marks = {name: object() for name in names}
        self._owed.update(marks)
        while len(self._owed) > KEPT_NAMES:
            self._owed.popitem(last=False)
        paying = asyncio.ensure_future(self._pay(marks, wait))
        self._paying.add(paying)
        paying.add_done_callback(self._paying.discard)
        return asyncio.shield(paying)

    async def _pay(self, marks: dict[str, object], wait: float) -> None:
        until = time.monotonic() + wait
        while True:
            try:
                await self._redis.ask("DEL", *(self._key(name) for name in marks))
                break
            except RedisDown:
                left = until - time.monotonic()
                if left <= 0:
                    return  # still owed: `_pay_all` when Redis is back
                await asyncio.sleep(min(left, 0.1))
        for name, mark in marks.items():
            if self._owed.get(name) is mark:
                del self._owed[name]

    def _pay_all(self) -> None:
        names = list(self._owed)
        for start in range(0, len(names), 500):
            self.invalidate(tuple(names[start : start + 500]), 0)

    def _key(self, name: str) -> str:
        return f"{self._redis.prefix}version:{name}"


class _Done:
    """Awaited, it returns at once; never awaited, nobody minds."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


_DONE = _Done()


# What is remembered --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CacheLookup(Generic[V]):
    """What was found, if anything, and the stamps under which `keep` may put what is read instead."""

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
    """Things this process remembers for at most `seconds`, each while its stamps last. 0 remembers nothing."""

    def __init__(
        self, versions: CacheVersions, seconds: float, *, size: int = 10_000, parts: int = 20, name: str = "other"
    ) -> None:
        self._stats = metrics.CacheStats(name)
        self._versions, self.seconds = versions, seconds
        self._size, self._parts = size, parts
        self._known: OrderedDict[tuple[str, ...], _Entry[V]] = OrderedDict()
        self._reading: dict[_Wanted, asyncio.Task[V]] = {}

    async def get(self, names: tuple[str, ...], read: Callable[[], Awaitable[V]], part: str = "") -> V:
        """What is remembered under `names`, or else what `read` finds, which is then remembered."""
        lookup = await self.lookup(names, part)
        if lookup.value is not None:
            return lookup.value
        if lookup.version is None:
            return await read()
        # Many calls that miss the same at once wait for one read: it began under the stamp that they found.
        wanted = (names, part, lookup.version)
        reading = self._reading.get(wanted)
        if reading is None:
            reading = self._reading[wanted] = in_background(self._read(lookup, read))
            reading.add_done_callback(lambda done: self._forget_read(wanted, done))
        return await asyncio.shield(reading)

    async def _read(self, lookup: CacheLookup[V], read: Callable[[], Awaitable[V]]) -> V:
        value = await read()
        self.store(lookup, value)
        return value

    def _forget_read(self, wanted: _Wanted, done: asyncio.Task[V]) -> None:
        del self._reading[wanted]
        if not done.cancelled():
            done.exception()  # nobody may be waiting any more

    async def lookup(self, names: tuple[str, ...], part: str = "") -> CacheLookup[V]:
        """What is remembered under `names`; ask before reading the database."""
        if self.seconds <= 0:
            return CacheLookup(None, names)
        at = time.monotonic()
        version = await self._versions.current(names)
        entry = self._known.get(names)
        if version is None or entry is None or entry.version != version:
            self._stats.miss.inc()
            return CacheLookup(None, names, part, version, at)
        until, value = entry.parts.get(part, (0.0, None))
        if until <= time.monotonic():
            value = None
        (self._stats.miss if value is None else self._stats.hit).inc()
        return CacheLookup(value, names, part, version, at)

    def store(self, lookup: CacheLookup[V], value: V) -> None:
        """Remember what was read after `look`, as from then; useless, and harmless, once a stamp has changed."""
        if lookup.version is None:
            return
        entry = self._known.get(lookup.names)
        if entry is None or entry.version != lookup.version:
            entry = self._known[lookup.names] = _Entry(lookup.version)
        self._known.move_to_end(lookup.names)
        if len(self._known) > self._size:
            self._known.popitem(last=False)
        if len(entry.parts) >= self._parts:
            entry.parts.clear()
        entry.parts[lookup.part] = (lookup.at + self.seconds, value)

    def invalidate(self, names: tuple[str, ...], wait: float = 0.0) -> Awaitable[None]:
        """Call it after the commit of a change; await it where the next call anywhere must see the change."""
        return self._versions.invalidate(names, wait)
