"""The event bus in one process and across processes: growing ids, replay, no loss during outages of Redis."""

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis as Client
from tests.helpers.valkey import Valkey

from hortus.core.events import KEPT_EVENTS, Bus, Event
from hortus.core.events.redis_transport import STREAM_EVENTS, STREAM_SECONDS, RedisEventTransport
from hortus.core.redis import Redis

Buses = tuple[Bus, Bus]


@asynccontextmanager
async def connected_bus(url: str, prefix: str) -> AsyncIterator[Bus]:
    """The bus of one process on this Redis."""
    redis = Redis(url, prefix=prefix)
    await redis.open()
    transport = RedisEventTransport(redis)
    bus = Bus(transport)
    transport.open()
    yield bus
    await transport.close()
    await redis.close()


@pytest.fixture(params=["alone", "shared"])
async def buses(request: pytest.FixtureRequest) -> AsyncIterator[Buses]:
    """The bus of the publisher and the bus of the subscriber."""
    if request.param == "alone":
        bus = Bus()
        yield bus, bus
        return
    url, prefix = request.getfixturevalue("valkey_url"), f"t{secrets.token_hex(6)}:"
    async with connected_bus(url, prefix) as here, connected_bus(url, prefix) as there:
        yield here, there


async def take(bus: Bus, topic: str, count: int, after: int = 0, seconds: float = 10.0) -> list[Event]:
    """The first `count` events of a new subscriber."""
    found: list[Event] = []
    async with asyncio.timeout(seconds), contextlib.aclosing(bus.subscribe(topic, after, 0.5)) as events_seen:
        async for event in events_seen:
            if event is not None:
                found.append(event)
                if len(found) == count:
                    break
    return found


async def subscription(bus: Bus, topic: str, count: int) -> "asyncio.Task[list[Event]]":
    """An open subscription."""
    task = asyncio.create_task(take(bus, topic, count, seconds=30))
    async with asyncio.timeout(5):
        while not bus._topics.get(topic) or not bus._topics[topic].reading:
            await asyncio.sleep(0.01)
    return task


def numbers(events: list[Event]) -> list[int]:
    """The numbers that `publish_numbers` published."""
    return [event.data["n"] for event in events]


def publish_numbers(bus: Bus, topic: str, first: int, last: int) -> list[int]:
    """Publish numbers; the ids."""
    return [bus.publish(topic, "delta", {"n": number}) for number in range(first, last)]


async def test_a_subscriber_gets_events_in_order_with_growing_ids(buses: Buses):
    here, there = buses
    listener = await subscription(there, "room/1", 100)
    for number in range(100):
        publish_numbers(here, "room/1", number, number + 1)
        if number % 10 == 0:
            await asyncio.sleep(0)
    found = await listener
    assert numbers(found) == list(range(100))
    assert all(one.id < two.id for one, two in itertools.pairwise(found))


async def test_a_late_subscriber_gets_stored_events_and_resumes_after_an_id(buses: Buses):
    here, there = buses
    publish_numbers(here, "room/2", 0, 10)
    found = await take(there, "room/2", 10)
    assert numbers(found) == list(range(10))
    publish_numbers(here, "room/2", 10, 15)
    assert numbers(await take(there, "room/2", 11, after=found[3].id)) == list(range(4, 15))


async def test_a_resumed_subscriber_waits_for_new_events(buses: Buses):
    here, there = buses
    publish_numbers(here, "room/3", 0, 3)
    last = (await take(there, "room/3", 3))[-1].id
    async with contextlib.aclosing(there.subscribe("room/3", last, 0.05)) as events_seen:
        assert await anext(events_seen) is None
    publish_numbers(here, "room/3", 3, 4)
    assert numbers(await take(there, "room/3", 1, after=last)) == [3]


async def test_two_publishers_on_one_topic_lose_nothing(buses: Buses):
    here, there = buses
    listener = await subscription(there, "room/4", 200)
    for number in range(100):
        here.publish("room/4", "delta", {"n": number, "by": "here"})
        there.publish("room/4", "delta", {"n": number, "by": "there"})
        await asyncio.sleep(0)
    found = await listener
    for by in ("here", "there"):
        assert [event.data["n"] for event in found if event.data["by"] == by] == list(range(100))
    assert all(one.id < two.id for one, two in itertools.pairwise(found))


async def test_topics_are_apart(buses: Buses):
    here, there = buses
    listener = await subscription(there, "room/5", 1)
    publish_numbers(here, "room/6", 1, 2)
    publish_numbers(here, "room/5", 7, 8)
    assert numbers(await listener) == [7]


async def test_a_publisher_never_waits_and_memory_is_bounded():
    bus = Bus()
    publish_numbers(bus, "room/7", 0, 5000)
    found = await take(bus, "room/7", 1000)
    assert numbers(found) == list(range(5000 - KEPT_EVENTS, 6000 - KEPT_EVENTS))


async def test_streams_in_redis_are_bounded_and_expire(valkey_url: str):
    prefix = f"t{secrets.token_hex(6)}:"
    async with connected_bus(valkey_url, prefix) as here, connected_bus(valkey_url, prefix) as there:
        listener = await subscription(there, "room/7", 5000)
        publish_numbers(here, "room/7", 0, 5000)
        assert numbers(await listener) == list(range(5000))
        async with Client.from_url(valkey_url) as client:
            assert STREAM_EVENTS <= await client.xlen(f"{prefix}events:room/7") < STREAM_EVENTS + 200
            assert 0 < await client.ttl(f"{prefix}events:room/7") <= STREAM_SECONDS


async def test_a_subscriber_that_reconnects_misses_nothing(valkey_url: str):
    prefix = f"t{secrets.token_hex(6)}:"
    async with connected_bus(valkey_url, prefix) as here, connected_bus(valkey_url, prefix) as there:
        after, seen = 0, []
        for start in range(0, 60, 3):
            publish_numbers(here, "room/8", start, start + 3)
            found = await take(there, "room/8", 2, after=after)
            after, seen = found[-1].id, seen + numbers(found)
        seen += numbers(await take(there, "room/8", 60 - len(seen), after=after))
        assert seen == list(range(60))


async def test_a_new_process_replays_what_an_ended_one_published(valkey_url: str):
    prefix = f"t{secrets.token_hex(6)}:"
    async with connected_bus(valkey_url, prefix) as here, connected_bus(valkey_url, prefix) as there:
        publish_numbers(here, "room/9", 0, 5)
        await take(there, "room/9", 5)
    async with connected_bus(valkey_url, prefix) as later:
        found = await take(later, "room/9", 5)
        assert numbers(found) == list(range(5))
        assert numbers(await take(later, "room/9", 2, after=found[2].id)) == [3, 4]


async def test_events_of_an_outage_arrive_when_it_is_over(valkey: Valkey):
    async with connected_bus(valkey.url, "t:") as here, connected_bus(valkey.url, "t:") as there:
        far, near = await subscription(there, "room/1", 30), await subscription(here, "room/1", 30)
        publish_numbers(here, "room/1", 0, 10)
        await asyncio.sleep(0.1)
        await asyncio.to_thread(valkey.stop)
        publish_numbers(here, "room/1", 10, 20)
        await asyncio.sleep(0.5)
        assert numbers(await take(here, "room/1", 20)) == list(range(20))
        await asyncio.to_thread(valkey.start)
        publish_numbers(here, "room/1", 20, 30)
        async with asyncio.timeout(10):
            assert numbers(await near) == numbers(await far) == list(range(30))


async def test_a_flush_loses_no_event_of_subscribers(valkey: Valkey):
    async with connected_bus(valkey.url, "t:") as here, connected_bus(valkey.url, "t:") as there:
        listener = await subscription(there, "room/1", 20)
        publish_numbers(here, "room/1", 0, 10)
        await asyncio.sleep(0.1)
        await emptied(valkey.url)
        publish_numbers(here, "room/1", 10, 20)
        found = await listener
        assert numbers(found) == list(range(20))
        assert all(one.id < two.id for one, two in itertools.pairwise(found))


async def test_a_server_that_hangs_delays_only_what_crosses_it(valkey: Valkey):
    async with connected_bus(valkey.url, "t:") as here, connected_bus(valkey.url, "t:") as there:
        far, near = await subscription(there, "room/1", 5), await subscription(here, "room/1", 5)
        async with Client.from_url(valkey.url) as client:
            await client.execute_command("CLIENT", "PAUSE", 3000, "ALL")
        publish_numbers(here, "room/1", 0, 5)
        async with asyncio.timeout(0.5):
            assert numbers(await near) == list(range(5))
            assert numbers(await take(here, "room/1", 5)) == list(range(5))
        async with asyncio.timeout(10):
            assert numbers(await far) == list(range(5))


async def silences(bus: Bus, topic: str, seconds: float, calm: float) -> int:
    """How often a subscriber has to poll the database."""
    found = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), contextlib.aclosing(bus.subscribe(topic, 0, 0.05, calm)) as events_seen:
            async for event in events_seen:
                found += event is None
    return found


async def test_a_connected_subscriber_polls_seldom():
    bus = Bus()
    assert await silences(bus, "room/1", 0.5, 60) >= 3  # another process may publish
    bus.single_process = True
    assert await silences(bus, "room/1", 0.5, 60) == 0
    assert await silences(bus, "room/1", 0.8, 0.2) in (1, 2, 3)


async def test_subscribers_poll_promptly_while_redis_is_unreachable(valkey: Valkey):
    async with connected_bus(valkey.url, "t:") as here:
        here.single_process = True  # has no effect on a bus with a transport
        assert await silences(here, "room/1", 0.5, 60) == 0
        watching = asyncio.create_task(silences(here, "room/1", 2.0, 60))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(valkey.stop)
        assert await watching >= 3
        assert await silences(here, "room/2", 0.5, 60) >= 3
        await asyncio.to_thread(valkey.start)
        async with asyncio.timeout(20):
            while await silences(here, "room/1", 0.5, 60):
                pass


async def emptied(url: str) -> None:
    """Delete everything in Redis."""
    async with Client.from_url(url) as client:
        await client.flushall()
