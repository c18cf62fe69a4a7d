"""A rate limit allows exactly its number, in one process or several, and stays bounded in an outage."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
import time_machine
from redis.asyncio import Redis as Client
from tests.helpers.valkey import Valkey

from hortus.core.errors import TooManyRequests
from hortus.core.rate_limits import Limiter
from hortus.core.redis import Redis
from hortus.core.settings import Settings

SETTINGS = Settings(rate_limits={"register": "2/minute"})


@pytest.fixture(params=["alone", "shared"])
async def limiters(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Limiter, Limiter]]:
    """The limiters of two requests: of one process, or of two that share Redis."""
    if request.param == "alone":
        limiter = Limiter(SETTINGS)
        yield limiter, limiter
        return
    url, prefix = request.getfixturevalue("valkey_url"), f"t{secrets.token_hex(6)}:"
    links = [Redis(url, prefix=prefix, timeout=5) for _ in range(2)]
    for link in links:
        await link.open()
    yield Limiter(SETTINGS, links[0]), Limiter(SETTINGS, links[1])
    for link in links:
        await link.close()


async def let_through(limiter: Limiter, times: int, name: str = "send", default: str = "5/minute") -> int:
    """How many of so many parallel requests of one caller pass."""
    answers = await asyncio.gather(*(limiter.hit(name, default, "ann") for _ in range(times)), return_exceptions=True)
    assert all(isinstance(answer, dict | TooManyRequests) for answer in answers), answers
    return sum(isinstance(answer, dict) for answer in answers)


async def test_exactly_the_limit_passes_of_concurrent_requests(limiters: tuple[Limiter, Limiter]):
    one, two = limiters
    passed = await asyncio.gather(*(let_through(limiter, 10) for limiter in (one, two)))
    assert sum(passed) == 5


async def test_headers_count_down_to_the_reset(limiters: tuple[Limiter, Limiter]):
    one, two = limiters
    for left, limiter in zip((4, 3, 2, 1, 0), (one, two) * 3, strict=False):
        headers = await limiter.hit("send", "5/minute", "ann")
        assert (headers["RateLimit-Limit"], headers["RateLimit-Remaining"]) == ("5", str(left))
        assert 0 < int(headers["RateLimit-Reset"]) <= 60
    with pytest.raises(TooManyRequests) as refused:
        await one.hit("send", "5/minute", "ann")
    assert 0 < int(refused.value.headers["Retry-After"]) <= 60
    assert refused.value.extra["retry_after"] == int(refused.value.headers["Retry-After"])
    assert refused.value.headers["RateLimit-Remaining"] == "0"


async def test_callers_and_limits_are_separate_and_settings_override(limiters: tuple[Limiter, Limiter]):
    one, two = limiters
    assert await let_through(one, 6) == 5
    assert (await two.hit("send", "5/minute", "bob"))["RateLimit-Remaining"] == "4"
    assert (await two.hit("read", "5/minute", "ann"))["RateLimit-Remaining"] == "4"
    assert await let_through(two, 6, "register", "5/minute") == 2


async def test_the_window_slides(limiters: tuple[Limiter, Limiter]):
    one, two = limiters
    assert await let_through(one, 3, "quick", "3/second") == 3
    assert await let_through(two, 3, "quick", "3/second") == 0
    async with asyncio.timeout(5):
        while await let_through(two, 1, "quick", "3/second") == 0:
            await asyncio.sleep(0.05)


async def test_the_clock_of_a_process_does_not_matter(valkey_url: str):
    link = Redis(valkey_url, prefix=f"t{secrets.token_hex(6)}:", timeout=5)
    await link.open()
    limiter = Limiter(SETTINGS, link)
    assert await let_through(limiter, 5) == 5
    with time_machine.travel("2031-01-01", tick=True):
        assert await let_through(limiter, 5) == 0
    await link.close()


async def test_an_outage_lets_at_most_the_limit_through_in_each_process(valkey: Valkey):
    links = [Redis(valkey.url) for _ in range(2)]
    for link in links:
        await link.open()
    one, two = (Limiter(SETTINGS, link) for link in links)
    assert await let_through(one, 3) == 3
    await asyncio.to_thread(valkey.stop)
    assert [await let_through(limiter, 10) for limiter in (one, two)] == [2, 5]
    assert [await let_through(limiter, 10) for limiter in (one, two)] == [0, 0]
    await asyncio.to_thread(valkey.start)
    async with asyncio.timeout(10):
        while not all(link.up for link in links):
            await asyncio.sleep(0.05)
    assert [await let_through(limiter, 10) for limiter in (one, two)] == [0, 0]
    assert await let_through(one, 3, "other") + await let_through(two, 3, "other") == 5
    for link in links:
        await link.close()


async def test_a_flush_lets_no_process_pass_its_own_count(valkey: Valkey):
    link = Redis(valkey.url)
    await link.open()
    limiter = Limiter(SETTINGS, link)
    assert await let_through(limiter, 5) == 5
    async with Client.from_url(valkey.url) as client:
        await client.flushall()
    assert await let_through(limiter, 5) == 0
    await link.close()
