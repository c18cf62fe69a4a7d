"""The database: transactions, snapshots and single reads, on SQLite (the default) or PostgreSQL.

A write transaction on SQLite takes the write lock at its start (`BEGIN IMMEDIATE`) and
writers of one process queue fairly for it; readers never wait (WAL). Only this module
commits.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import structlog
from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from hortus.core import context
from hortus.core.db import engines
from hortus.core.db.compiled_select import InlineExecutor, PostgresExecutor, PreparedSelect
from hortus.core.db.engines import ConnectionProfile
from hortus.core.db.replica import SETTLED, Replica
from hortus.core.db.tx import InlineTx, Tx, TxContext
from hortus.core.errors import ServiceUnavailable

log = structlog.get_logger()
T = TypeVar("T")


_PLAIN: dict[str, Any] = {"synchronize_session": False}
"""Updates do not synchronise objects in memory, which would cost more than the updates."""


MAX_ATTEMPTS = 4
"""Attempts of a transaction that fails with a deadlock or serialization failure."""


class NestedTransaction(RuntimeError):
    """A transaction was opened inside another one: a programming error that would deadlock SQLite."""


DEGRADED: frozenset[engines.Outage] = frozenset({"read_only", "full", "failing"})
"""Outages in which a database still answers reads, so that only a successful write shows that they are over."""


class Database:
    """The engine and its transactions. One per process."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        echo: bool = False,
        profile: ConnectionProfile = ConnectionProfile(),  # noqa: B008 - frozen
        replica_url: str = "",
        context: TxContext | None = None,
    ) -> None:
        self.url = normalise_url(url)
        self.degraded: engines.Outage | None = None
        """The outage that failed the last write; None once a write has succeeded."""
        self.context = context or TxContext()
        self.dialect = self.url.get_backend_name()
        self._executor: InlineExecutor | PostgresExecutor | None = None
        self._reader: Callable[..., Tx]
        if self.dialect == "sqlite":
            self._writer = engines.sqlite_engine(self.url, begin="BEGIN IMMEDIATE", pool_size=1, echo=echo)
            inline = engines.inline_engine(self.url, pool_size=pool_size, echo=echo)
            self._reader, self._executor = partial(InlineTx, inline), InlineExecutor(inline)
        else:
            self._writer = engines.postgresql_engine(self.url, profile, pool_size=pool_size, echo=echo)
            self._reader = partial(Tx, self._writer)
            if not profile.pgbouncer:  # its timeouts are set per transaction
                self._executor = PostgresExecutor(self._writer)
        self.replica: Replica | None = None
        if replica_url:
            there = engines.postgresql_engine(normalise_url(replica_url), profile, pool_size=pool_size, echo=echo)
            self.replica = Replica(there, self._writer)

    @property
    def engine(self) -> AsyncEngine:
        """The engine that writes; for migrations and tests."""
        return self._writer

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """A write transaction: commits at the end of the block, rolls back on any exception."""
        async with self._open(partial(Tx, self._writer)) as tx:
            yield tx
            await tx.commit()
        self.degraded = None
        await _run_after_commit(tx)

    async def retry(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work(tx)` in its own transaction, and again after a deadlock or serialization failure.

        `work` must only use the database: it may run up to four times, and is committed once. A commit whose
        outcome is unknown is not repeated.
        """
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                async with self.transaction() as tx:
                    return await work(tx)
            except ServiceUnavailable as error:
                if attempt == MAX_ATTEMPTS or not engines.is_retryable(error):
                    raise
                log.info("transaction_retried", attempt=attempt)
            await asyncio.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - jitter, not secrecy
        raise AssertionError  # the last attempt returns or raises

    def snapshot(self) -> AbstractAsyncContextManager[Tx]:
        """A read transaction; writes are rolled back."""
        return self._reading(self._reader)

    async def read(self, read: PreparedSelect, **parameters: Any) -> Sequence[Any]:
        """The rows of a single statement: the cheapest way to read. Statements do not share a snapshot."""
        if self._executor is None:
            async with self.snapshot() as tx:
                return await tx.read(read, **parameters)
        if context.transaction_open.get():
            raise NestedTransaction("a transaction is open already: read in it")
        with self._outages():
            return await self._executor.read(read, **parameters)

    @asynccontextmanager
    async def long_snapshot(self) -> AsyncIterator[Tx]:
        """A read transaction that may last: on SQLite it runs in its own thread and does not block the event loop."""
        if self.dialect != "sqlite":
            async with self.snapshot() as tx:
                yield tx
            return
        engine = engines.sqlite_engine(self.url, begin="BEGIN", pool_size=1)
        try:
            async with self._reading(partial(Tx, engine)) as tx:
                yield tx
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def history(self, before: datetime | None) -> AsyncIterator[Tx]:
        """A read transaction for immutable rows written before that time; None is now.

        It reads from the replica if there is one, the rows are old enough and the replica has replayed them; else
        from the primary.
        """
        settled = before is not None and before <= datetime.now(UTC) - SETTLED
        if settled and self.replica is not None and await self.replica.is_fit():
            try:
                async with self._reading(partial(Tx, self.replica.engine)) as tx:
                    yield tx
            except ServiceUnavailable as error:
                self.replica.back_off(str(error.__cause__)[:200])
                raise
        else:
            async with self.snapshot() as tx:
                yield tx

    @asynccontextmanager
    async def _reading(self, make: Callable[..., Tx]) -> AsyncIterator[Tx]:
        async with self._open(make) as tx:
            yield tx
            tx.expunge_all()  # objects stay readable; a rollback would expire them
            await tx.rollback()

    @asynccontextmanager
    async def _open(self, make: Callable[..., Tx]) -> AsyncIterator[Tx]:
        if context.transaction_open.get():
            raise NestedTransaction("a transaction is open already")
        mark = context.transaction_open.set(True)
        try:
            with self._outages():
                async with make(
                    expire_on_commit=False, autoflush=False, execution_options=_PLAIN, context=self.context
                ) as tx:
                    yield tx
        finally:
            context.transaction_open.reset(mark)

    @contextmanager
    def _outages(self) -> Iterator[None]:
        """Turn an outage of the database into ServiceUnavailable (503). Whether a commit took place is unknown then."""
        try:
            yield
        except Exception as error:
            found = engines.outage(error)
            if found is None:
                raise
            log.warning("database_outage", outage=found, error=f"{type(error).__name__}: {error}"[:300])
            if found in DEGRADED:
                self.degraded = found
            detail = "Try again in a little while, with the same `Idempotency-Key` if you sent one."
            raise ServiceUnavailable(detail, headers={"Retry-After": "2"}, retry_after=2) from error

    async def close(self) -> None:
        """Close every pooled connection."""
        await self._writer.dispose()
        if isinstance(self._executor, InlineExecutor):
            self._executor.close()
        if self.replica is not None:
            await self.replica.engine.dispose()


async def _run_after_commit(tx: Tx) -> None:
    for callback in tx.after_commit_callbacks:
        try:
            result = callback()
            if result is not None:
                await result
        except Exception:
            log.exception("after_commit_failed")


def normalise_url(url: str) -> URL:
    """The URL with the async driver, for every spelling that operators use."""
    parsed = make_url(url)
    backend = "postgresql" if parsed.drivername.startswith("postgres") else parsed.get_backend_name()
    if backend == "postgresql":
        query = dict(parsed.query)
        mode = query.pop("sslmode", None)  # asyncpg calls it `ssl`
        if mode is not None:
            query["ssl"] = mode
        return parsed.set(drivername="postgresql+asyncpg", query=query)
    if backend == "sqlite":
        return parsed.set(drivername="sqlite+aiosqlite")
    raise ValueError(f"{backend} is not supported: use sqlite or postgresql")
