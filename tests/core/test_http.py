"""The HTTP client on keep-alive connections that the server closes at any time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from hortus.core.http import Http, HttpError


class Vendor:
    """Answers the first request of each connection, then keeps it alive; what comes later may be cut."""

    def __init__(self) -> None:
        self.cuts = False
        self.connections = 0
        self.received: Counter[str] = Counter()
        self.open: set[asyncio.StreamWriter] = set()
        self.together = asyncio.Event()
        self.together.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        self.open.add(writer)
        is_first = True
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if ": " in line)
                await reader.readexactly(int(fields.get("content-length", 0)))
                self.received[head.decode().split()[0]] += 1
                if self.cuts and not is_first:
                    return
                await self.together.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                is_first = False
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.open.discard(writer)
            writer.transport.abort()


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    made = Vendor()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with asyncio.timeout(60):
        yield made
    server.close()


async def fill(http: Http, vendor: Vendor, number: int) -> None:
    """Leave so many connections in the pool, and have the vendor cut each at its next use."""
    vendor.together.clear()
    calls = [asyncio.create_task(http.request("GET", vendor.url)) for _ in range(number)]
    while vendor.received["GET"] < number:
        await asyncio.sleep(0.01)
    vendor.together.set()
    assert [answer.status for answer in await asyncio.gather(*calls)] == [200] * number
    assert vendor.connections == number
    vendor.cuts = True
    vendor.received.clear()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_safe_call_is_repeated_on_a_connection_of_its_own(vendor: Vendor, method: str):
    """With many dead connections in the pool, the repetition uses a new one."""
    async with Http() as http:
        await fill(http, vendor, 6)
        assert (await http.request(method, vendor.url)).status == 200
        assert vendor.connections == 7


async def test_a_call_with_an_idempotency_key_is_repeated(vendor: Vendor):
    async with Http() as http:
        await fill(http, vendor, 4)
        headers = {"Idempotency-Key": "row-1"}
        assert (await http.request("POST", vendor.url, json={"a": 1}, headers=headers)).body == b"ok"
        assert vendor.received["POST"] == 2


async def test_a_call_that_the_vendor_may_have_received_is_not_repeated(vendor: Vendor):
    async with Http() as http:
        await fill(http, vendor, 4)
        with pytest.raises(HttpError):
            await http.request("POST", vendor.url, json={"a": 1})
        assert vendor.received["POST"] == 1


async def test_a_call_after_the_vendor_closed_what_was_idle_is_made_once(vendor: Vendor):
    async with Http() as http:
        await fill(http, vendor, 4)
        for writer in tuple(vendor.open):
            writer.transport.abort()
        await asyncio.sleep(0.1)  # the client learns of it
        assert (await http.request("POST", vendor.url, json={"a": 1})).status == 200
        assert vendor.received["POST"] == 1


async def test_a_vendor_that_cuts_every_call_is_asked_a_bounded_number_of_times(vendor: Vendor):
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        vendor.received["cut"] += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with Http() as http:
        with pytest.raises(HttpError):
            await http.request("GET", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    server.close()
    assert vendor.received["cut"] <= 4  # aiohttp itself repeats a safe call once, on either connection
