"""Reads of old, immutable rows from a streaming replica, once it has provably replayed them."""

import time
from datetime import timedelta

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

log = structlog.get_logger()
SETTLED = timedelta(seconds=60)
"""Minimum age of the newest row of a page. The time of a row precedes its commit by less than this."""
MARK_SECONDS = 20.0
"""How long an LSN of the primary is used for comparison; far less than SETTLED."""
BACKOFF_SECONDS = 5.0
"""Pause after a failure of the replica."""
CATCHES_UP_SECONDS = 0.5
"""Pause while the replica has not replayed enough."""
_PRIMARY_LSN = text("SELECT pg_current_wal_insert_lsn()::text")
_HAS_REPLAYED = text("SELECT pg_last_wal_replay_lsn() >= CAST(CAST(:mark AS text) AS pg_lsn)")


class Replica:
    """Fit while it has replayed the WAL up to a recent LSN of the primary.

    A server that is not a replica (the primary, a standalone server) is never fit.
    """

    def __init__(self, engine: AsyncEngine, primary: AsyncEngine, *, mark_seconds: float = MARK_SECONDS) -> None:
        self.engine = engine
        self._primary, self._mark_seconds = primary, mark_seconds
        self._mark: str | None = None
        self._marked = self._seen = self._paused_until = float("-inf")

    async def is_fit(self) -> bool:
        """Whether it holds everything that was committed MARK_SECONDS ago. Never raises."""
        now = time.monotonic()
        if now < self._paused_until:
            return False
        if now - self._seen < self._mark_seconds:  # replayed WAL stays replayed
            return True
        try:
            if self._mark is None or now - self._marked > self._mark_seconds:
                async with self._primary.connect() as connection:
                    self._mark = str((await connection.execute(_PRIMARY_LSN)).scalar_one())
                self._marked = now
            async with self.engine.connect() as connection:
                seen = (await connection.execute(_HAS_REPLAYED, {"mark": self._mark})).scalar_one()
        except Exception as error:  # on any error the primary is used
            self.back_off(f"{type(error).__name__}: {error}"[:200])
            return False
        if seen:
            self._seen = self._marked
            return True
        if seen is None:
            self.back_off("not a replica")
        else:
            self._paused_until = now + CATCHES_UP_SECONDS
        return False

    def back_off(self, reason: str) -> None:
        """Use the primary for a while."""
        self._paused_until = time.monotonic() + BACKOFF_SECONDS
        self._seen = float("-inf")
        log.warning("replica_unavailable", reason=reason)
