"""Time and address of the last use of an API key, written at most once a minute, in the background."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from hortus.core import clock
from hortus.core.background import in_background
from hortus.core.db import Database, Tx
from hortus.core.db.batch import Batch
from hortus.core.db.bulk import BulkStatement

log = structlog.get_logger()
EVERY = timedelta(seconds=60)
REMEMBERED = 10_000

# A row that is locked is being written with the same values.
LOCK = BulkStatement(
    "SELECT id FROM api_keys WHERE id IN (SELECT d.key FROM {rows}) ORDER BY id {skip_locked}", key="text"
)
WRITE = BulkStatement(
    "UPDATE api_keys SET last_used_at = :now, last_used_address = d.address FROM {rows} "
    "WHERE id = d.key AND (last_used_at IS NULL OR last_used_at <= d.before)",
    key="text", address="text", before="timestamptz",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key and the address it was used from."""

    key_id: str
    address: str


class KeyUseRecorder(Batch[KeyUse, None]):
    """Records the last use of API keys in the background."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, write_uses)
        self._noted: OrderedDict[str, float] = OrderedDict()
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, key_id: str, address: str) -> None:
        """Remember a use; returns at once."""
        now = time.monotonic()
        noted = self._noted.get(key_id)
        if noted is not None and now - noted < EVERY.total_seconds():
            return
        self._noted[key_id] = now
        self._noted.move_to_end(key_id)
        if len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)
        task = in_background(self._write(KeyUse(key_id, address)))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, use: KeyUse) -> None:
        try:
            await self(use)
        except Exception:  # a use that is not noted must not fail anything
            log.exception("key_use_not_noted", key_id=use.key_id)

    async def close(self) -> None:
        """Wait until all recorded uses are written."""
        if self._writing:
            await asyncio.wait(set(self._writing))


async def write_uses(tx: Tx, uses: Sequence[KeyUse]) -> list[Exception | None]:
    """Write the uses of keys whose last recorded use is a minute old."""
    now = clock.now()
    latest = {use.key_id: use.address[:64] for use in uses}
    locked = (await LOCK.run(tx, [{"key": key_id} for key_id in latest])).scalars().all()
    if locked:
        rows = [{"key": key_id, "address": latest[key_id], "before": now - EVERY} for key_id in locked]
        await WRITE.run(tx, rows, now=now)
    return [None for _ in uses]
