"""Cached values are current when they are used, in one process and in several, also while Redis fails."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis as Client
from tests.helpers.valkey import Valkey

from hortus.core.cache import CacheVersions, LocalCacheVersions, RedisCacheVersions, VersionedCache
from hortus.core.db import Database
from hortus.core.redis import Redis

NAMES = ("session:1", "user:1")


@pytest.fixture(params=["alone", "shared"])
async def both(request: pytest.FixtureRequest) -> AsyncIterator[tuple[CacheVersions, CacheVersions]]:
    """The versions of a reader and of a writer."""
    if request.param == "alone":
        own = LocalCacheVersions()
        yield own, own
        return
    url, prefix = request.getfixturevalue("valkey_url"), f"t{secrets.token_hex(6)}:"
    links = [Redis(url, prefix=prefix, timeout=5) for _ in range(2)]
    for link in links:
        await link.open()
    yield RedisCacheVersions(links[0]), RedisCacheVersions(links[1])
    for link in links:
        await link.close()


class Truth:
    """A value in a database, and how often it was read."""

    def __init__(self) -> None:
        self.value, self.reads = "old", 0

    async def read(self) -> str:
        self.reads += 1
        return self.value


async def test_a_value_is_read_once_until_a_version_changes(both: tuple[CacheVersions, CacheVersions]):
    reader, writer = both
    known: VersionedCache[str] = VersionedCache(reader, 60)
    truth = Truth()
    assert [await known.get(NAMES, truth.read) for _ in range(3)] == ["old"] * 3
    assert truth.reads == 1
    for name, value in (("session:1", "new"), ("user:1", "newer"), ("session:1", "newest")):
        truth.value = value
        await writer.invalidate((name,), 1)
        assert [await known.get(NAMES, truth.read) for _ in range(3)] == [value] * 3
    assert truth.reads == 4
    await writer.invalidate(("session:2",), 1)
    await known.get(NAMES, truth.read)
    assert truth.reads == 4


async def test_a_value_read_before_an_invalidation_is_not_stored_after_it(both: tuple[CacheVersions, CacheVersions]):
    reader, writer = both
    known: VersionedCache[str] = VersionedCache(reader, 60)
    look = await known.lookup(NAMES)
    await writer.invalidate(NAMES, 1)
    known.store(look, "old")
    assert (await known.lookup(NAMES)).value is None


async def test_concurrent_misses_share_one_read(both: tuple[CacheVersions, CacheVersions]):
    reader, writer = both
    known: VersionedCache[str] = VersionedCache(reader, 60)
    go_on, reads = asyncio.Event(), []

    async def slowly() -> str:
        reads.append(len(reads))
        await go_on.wait()
        if len(reads) == 3:
            raise LookupError
        return f"read {len(reads)}"

    async def ask(number: int) -> list[asyncio.Task[str]]:
        asking = [asyncio.create_task(known.get(("a", "b"), slowly)) for _ in range(number)]
        while not known._reading:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        return asking

    first, *others = await ask(5)
    first.cancel()  # the first caller is cancelled; the others still get the value
    go_on.set()
    assert await asyncio.gather(*others) == ["read 1"] * 4
    assert await known.get(("a", "b"), slowly) == "read 1"
    go_on.clear()
    await writer.invalidate(("a",), 1)
    before = await ask(2)
    await writer.invalidate(("a",), 1)
    after = [asyncio.create_task(known.get(("a", "b"), slowly)) for _ in range(2)]
    while len(reads) < 3:  # a read from before the invalidation does not serve later callers
        await asyncio.sleep(0.001)
    go_on.set()
    outcomes = await asyncio.gather(*before, *after, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LookupError] * 4
    assert len(reads) == 3


async def test_entries_are_bounded_in_time_and_number(both: tuple[CacheVersions, CacheVersions]):
    reader, _ = both
    nothing: VersionedCache[str] = VersionedCache(reader, 0)
    short: VersionedCache[str] = VersionedCache(reader, 0.05)
    small: VersionedCache[str] = VersionedCache(reader, 60, size=2)
    truth = Truth()
    for known in (nothing, short):
        await known.get(NAMES, truth.read)
        await asyncio.sleep(0.06)
        assert (await known.lookup(NAMES)).value is None
    for number in range(3):
        await small.get((f"session:{number}",), truth.read)
    assert [(await small.lookup((f"session:{number}",))).value for number in range(3)] == [None, "old", "old"]


async def test_a_transaction_invalidates_when_it_commits_and_only_then(
    both: tuple[CacheVersions, CacheVersions], database: Database
):
    reader, writer = both
    known: VersionedCache[str] = VersionedCache(reader, 60)
    database.context.cache_versions = writer
    truth = Truth()
    await known.get(NAMES, truth.read)
    with pytest.raises(LookupError):
        async with database.transaction() as tx:
            tx.invalidate_cache("session:1")
            raise LookupError
    assert (await known.lookup(NAMES)).value == "old"
    async with database.transaction() as tx:
        tx.invalidate_cache("session:1")
        tx.invalidate_cache("user:1")
        assert (await known.lookup(NAMES)).value == "old"
    assert (await known.lookup(NAMES)).value is None


async def test_a_flush_and_a_new_server_invalidate_everything(valkey: Valkey):
    link = Redis(valkey.url)
    await link.open()
    known: VersionedCache[str] = VersionedCache(RedisCacheVersions(link), 60)
    truth = Truth()
    await known.get(NAMES, truth.read)
    async with Client.from_url(valkey.url) as client:
        await client.flushall()
    assert (await known.lookup(NAMES)).value is None
    await known.get(NAMES, truth.read)
    await asyncio.to_thread(valkey.stop)
    assert (await known.lookup(NAMES)).value is None
    assert await known.get(NAMES, truth.read) == "old"
    await asyncio.to_thread(valkey.start)
    async with asyncio.timeout(10):
        while not link.up:
            await asyncio.sleep(0.05)
    assert (await known.lookup(NAMES)).value is None
    await known.get(NAMES, truth.read)
    assert (await known.lookup(NAMES)).value == "old"
    await link.close()


async def test_an_invalidation_during_an_outage_is_sent_when_redis_is_back(valkey: Valkey):
    reader_link, writer_link = Redis(valkey.url), Redis(valkey.url)
    for link in (reader_link, writer_link):
        await link.open()
    known: VersionedCache[str] = VersionedCache(RedisCacheVersions(reader_link), 60)
    writer = RedisCacheVersions(writer_link)
    truth = Truth()
    await known.get(NAMES, truth.read)
    writer_link.up = False  # only the writer is disconnected
    await writer.invalidate(("user:1",), 0)
    assert await writer.current(("user:1",)) is None
    assert (await known.lookup(NAMES)).value == "old"
    writer_link._went_down(ConnectionError())
    async with asyncio.timeout(10):
        while (await known.lookup(NAMES)).value is not None:
            await asyncio.sleep(0.05)
    for link in (reader_link, writer_link):
        await link.close()
