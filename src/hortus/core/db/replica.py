"""A streaming replica that may answer for the past, and only once it has provably seen all of it."""

import time
from datetime import timedelta

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

log = structlog.get_logger()
SETTLED = timedelta(seconds=60)
"""How old the newest row of a page must be. A row is born before its commit, by less than this."""
MARK_SECONDS = 20.0
"""How long a place in the primary's log is good to compare with; far less than SETTLED."""
REST_SECONDS = 5.0
"""How long a replica that failed is left alone."""
CATCHES_UP_SECONDS = 0.5
"""How long one is that has not yet seen enough."""
_HERE = text("SELECT pg_current_wal_insert_lsn()::text")
_SEEN = text("SELECT pg_last_wal_replay_lsn() >= CAST(CAST(:mark AS text) AS pg_lsn)")


class Replica:
    """Fit only while it has replayed the log up to a place where the primary was a moment ago.

    A URL that leads to no replica (the primary, a database by itself) is never fit.
    """

    def __init__(self, engine: AsyncEngine, primary: AsyncEngine, *, mark_seconds: float = MARK_SECONDS) -> None:
        self.engine = engine
        self._primary, self._mark_seconds = primary, mark_seconds
        self._mark: str | None = None
        self._marked = self._seen = self._resting = float("-inf")

    async def is_fit(self) -> bool:
        """Whether it holds everything that was committed MARK_SECONDS ago. Never raises."""
        now = time.monotonic()
        if now < self._resting:
            return False
        if now - self._seen < self._mark_seconds:  # what it has replayed it keeps
            return True
        try:
            if self._mark is None or now - self._marked > self._mark_seconds:
                async with self._primary.connect() as connection:
                    self._mark = str((await connection.execute(_HERE)).scalar_one())
                self._marked = now
            async with self.engine.connect() as connection:
                seen = (await connection.execute(_SEEN, {"mark": self._mark})).scalar_one()
        except Exception as error:  # whatever is wrong with it, the primary answers
            self.rest(f"{type(error).__name__}: {error}"[:200])
            return False
        if seen:
            self._seen = self._marked
            return True
        if seen is None:
            self.rest("it is no replica")
        else:
            self._resting = now + CATCHES_UP_SECONDS
        return False

    def rest(self, reason: str) -> None:
        """Ask the primary for a while."""
        self._resting = time.monotonic() + REST_SECONDS
        self._seen = float("-inf")
        log.warning("replica_not_asked", reason=reason)
