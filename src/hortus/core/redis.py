"""The Redis client of a process: concurrent commands are pipelined, and an unreachable server costs no time.

Redis only holds data that may be lost: counts of the last minutes, versions of caches, events. Callers must work
without it; `RedisDown` is the only error. The library is imported when the client is opened.
"""

import asyncio
import contextlib
import hashlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from hortus.core.background import cancel_and_wait, in_background
from hortus.core.settings import Settings

log = structlog.get_logger()
Command = tuple[str | bytes | int, ...]
BATCH = 256
PROBE_SECONDS = 0.5
"""Interval of the probes of an unreachable server; requests do not wait for them."""


class RedisDown(Exception):
    """Redis is unreachable; the caller goes on without it."""


@dataclass(slots=True)
class Counts:
    """Counters of this client, for the metrics."""

    commands: int = 0
    batches: int = 0
    errors: int = 0
    outages: int = 0


class Redis:
    """Open it once per process; the server may be unreachable at any time, also at the start.

    `epoch` grows with every new connection: data read on an older one may stem from a server that has been
    replaced since.
    """

    def __init__(self, url: str, *, prefix: str = "hortus:", timeout: float = 0.25) -> None:
        self.prefix, self.timeout = prefix, timeout
        self.up, self.epoch, self.counts = False, 0, Counts()
        self._url = url
        self._connection: Any = None
        self._waiting: deque[tuple[Command, asyncio.Future[Any]]] = deque()
        self._scripts: dict[str, str] = {}
        self._flushing: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._on_up: list[Callable[[], None]] = []

    async def open(self) -> None:
        """Connect; an unreachable server is not an error, it is probed from now on."""
        try:
            await self._probe()
        except RedisDown as error:
            self._went_down(error)
        else:
            self.up = True

    async def close(self) -> None:
        """Close every connection; pending commands raise RedisDown."""
        for task in (self._flushing, self._looking):
            await cancel_and_wait(task)
        self.up = False
        self._refuse_waiting()
        await self._drop()

    def connection(self, timeout: float) -> Any:
        """A separate connection for the caller, not yet connected; responses are raw bytes."""
        from redis.asyncio import Redis as Client  # noqa: PLC0415 - most installations have no Redis
        from redis.asyncio.retry import Retry  # noqa: PLC0415 - as above
        from redis.backoff import NoBackoff  # noqa: PLC0415 - as above

        client: Client = Client.from_url(
            self._url,
            protocol=2,
            socket_timeout=timeout,
            socket_connect_timeout=min(timeout, self.timeout * 2),
            retry=Retry(NoBackoff(), 0),
            client_name="hortus",
        )
        return client.connection_pool.make_connection()  # type: ignore[no-untyped-call]

    def when_up(self, call: Callable[[], None]) -> None:
        """Call `call` each time the server is reachable again."""
        self._on_up.append(call)

    async def ask(self, *command: str | bytes | int) -> Any:
        """The response to one command; raises RedisDown immediately while the server is down, else within `timeout`."""
        if not self.up:
            raise RedisDown
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        if self._flushing is None or self._flushing.done():
            self._flushing = in_background(self._flush())
        return await answer

    async def run(self, script: str, keys: Sequence[str], *arguments: str | int) -> Any:
        """The result of a Lua script; its text is sent only if the server does not have it."""
        tail = (str(len(keys)), *keys, *arguments)
        digest = self._scripts.get(script)
        if digest is not None:
            try:
                return await self.ask("EVALSHA", digest, *tail)
            except _UnknownScript:
                pass
        answer = await self.ask("EVAL", script, *tail)
        self._scripts[script] = _digest(script)
        return answer

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """The responses to a pipeline of commands, errors among them; raises RedisDown. One call at a time."""
        try:
            async with asyncio.timeout(self.timeout):
                answers = await self._exchange(commands)
        except Exception as error:  # any error of socket, resolver or server
            self._went_down(error)
            raise RedisDown from error
        self.counts.commands += len(commands)
        self.counts.batches += 1
        return answers

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        from redis.exceptions import ResponseError  # noqa: PLC0415 - most installations have no Redis

        connection, answers = self._connection, []
        if connection is None:
            raise ConnectionError("not connected")
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        for _ in commands:
            try:
                answers.append(await connection.read_response())
            except ResponseError as error:
                answers.append(error)
        return answers

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.disconnect(nowait=True)

    async def state(self) -> Literal["ok", "down"]:
        """Whether it answers now, within `timeout`."""
        try:
            await self.ask("PING")
        except RedisDown:
            return "down"
        return "ok"

    async def round_trip(self) -> float:
        """Seconds to an answer and back; raises RedisDown."""
        started = time.monotonic()
        await self.ask("PING")
        return time.monotonic() - started

    async def _flush(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                answers = await self.send([command for command, _ in batch])
            except (RedisDown, asyncio.CancelledError) as error:
                for _, waiter in batch:
                    _refuse(waiter, RedisDown())
                self._refuse_waiting()
                if isinstance(error, asyncio.CancelledError):
                    raise
                return
            for (_, waiter), answer in zip(batch, answers, strict=True):
                if isinstance(answer, Exception):
                    _refuse(waiter, self._meaning(answer))
                elif not waiter.done():
                    waiter.set_result(answer)

    def _meaning(self, error: Exception) -> Exception:
        from redis.exceptions import NoScriptError  # noqa: PLC0415 - most installations have no Redis

        if isinstance(error, NoScriptError):
            return _UnknownScript()
        self._went_down(error)  # read-only, loading, out of memory: of no use until a probe can write again
        return RedisDown(str(error))

    def _refuse_waiting(self) -> None:
        while self._waiting:
            _refuse(self._waiting.popleft()[1], RedisDown())

    def _went_down(self, error: Exception) -> None:
        self.counts.errors += 1
        if self._looking is not None and not self._looking.done():
            return
        self.up = False
        self.counts.outages += 1
        log.warning("redis_down", error=type(error).__name__)
        self._looking = in_background(self._look())

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            with contextlib.suppress(RedisDown):
                await self._probe()
                break
        self.up = True
        log.info("redis_up")
        for call in self._on_up:
            call()

    async def _probe(self) -> None:
        # It writes, so a read-only server stays down. The first command may have to connect, the second must be fast.
        await self._drop()
        connection = self.connection(max(self.timeout, 1.0))
        try:
            async with asyncio.timeout(max(self.timeout, 1.0)):
                await connection.connect()
            self._connection = connection
            for seconds in (self.timeout, self.timeout / 2):
                async with asyncio.timeout(seconds):
                    (answer,) = await self._exchange([("SET", f"{self.prefix}probe", "1", "PX", 1000)])
                if isinstance(answer, Exception):
                    raise answer
        except BaseException as error:
            self._connection = None
            with contextlib.suppress(Exception):
                await connection.disconnect(nowait=True)
            if not isinstance(error, Exception):
                raise
            raise RedisDown from error
        self.epoch += 1


class _UnknownScript(Exception):
    """The server does not have the script, as after a restart."""


def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def _refuse(waiter: asyncio.Future[Any], error: Exception) -> None:
    if not waiter.done():
        waiter.set_exception(error)


@asynccontextmanager
async def open_redis(settings: Settings) -> AsyncIterator[Redis | None]:
    """The connection to Redis if REDIS_URL is set; Redis need not answer yet."""
    if not settings.redis_url:
        yield None
        return
    redis = Redis(settings.redis_url, prefix=settings.redis_prefix, timeout=settings.redis_timeout_seconds)
    await redis.open()
    try:
        yield redis
    finally:
        await redis.close()
