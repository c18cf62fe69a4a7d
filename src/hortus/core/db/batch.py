"""Group commit: calls that arrive together share one transaction.

While one batch commits, the next one fills, so a single caller never waits and sixty-four
callers share one commit.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from hortus.core.db.database import Database
from hortus.core.db.tx import Tx

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batch(Generic[Item, Result]):
    """Runs `work(tx, items)` for the calls that are waiting.

    `work` returns a value or an exception for each item, in order. If the whole batch fails, each item is retried
    in its own transaction, so that a bad item fails only itself. `work` must only use the database: after a
    serialization failure the whole batch is repeated. A cancelled caller does not undo its item.
    """

    def __init__(
        self,
        database: Database,
        work: Callable[[Tx, Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_items: int = 64,
    ) -> None:
        self._database = database
        self._work = work
        self._max_items = max_items
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Result:
        """The result for one item, after its commit."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._drain(), context=Context())
        return await future

    async def _drain(self) -> None:
        while self._waiting:
            size = min(self._max_items, len(self._waiting))
            taken = [self._waiting.popleft() for _ in range(size)]
            try:
                await self._run(taken)
            except Exception as error:
                await self._run_singly(taken, error)
            except BaseException:
                for _, future in [*taken, *self._waiting]:
                    future.cancel()
                self._waiting.clear()
                raise

    async def _run(self, taken: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        items = [item for item, _ in taken]
        results = await self._database.retry(lambda tx: self._work(tx, items))
        for (_, future), result in zip(taken, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    async def _run_singly(self, taken: Sequence[tuple[Item, asyncio.Future[Result]]], error: Exception) -> None:
        if len(taken) == 1:
            if not taken[0][1].done():
                taken[0][1].set_exception(error)
            return
        for entry in taken:
            try:
                await self._run([entry])
            except Exception as alone:
                if not entry[1].done():
                    entry[1].set_exception(alone)
