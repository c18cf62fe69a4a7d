"""Consistency checks after a fault: one end and one charge per generation, and files that match their rows."""

import asyncio
import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select, text

from hortus import ledger
from hortus.chat.tables import Message
from hortus.core.db import Database
from hortus.files.cleanup import sweep_orphaned_blobs
from hortus.files.tables import File
from hortus.generation.tables import LIVE, Generation
from hortus.ledger.tables import CreditReservation, Entry
from hortus.quotas.tables import QuotaUseRow
from hortus.storage import LocalStorage

SETTLE_TIMEOUT = 60.0
"""Seconds within which all accepted generations end after the last fault."""


@dataclass(frozen=True)
class AuditResult:
    """Result of an audit."""

    statuses: Counter[str]
    orphans: int
    """Blobs of crashed attempts that the cleanup removed."""


async def all_ended(database: Database, number: int | None = None, within: float = SETTLE_TIMEOUT) -> float:
    """Wait until all generations have ended (`number` of them, if given). Returns the seconds it took."""
    started = time.monotonic()
    counts: Counter[str] = Counter()
    query = select(Generation.status, func.count()).group_by(Generation.status)
    try:
        async with asyncio.timeout(within):
            while True:
                async with database.snapshot() as tx:
                    counts = Counter(dict((await tx.execute(query)).all()))
                if counts.total() >= (number or 0) and not any(counts[status] for status in LIVE):
                    break
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not ended after {within:g} s: {counts}") from None
    assert number is None or counts.total() == number  # a repeated request is no second generation
    return time.monotonic() - started


async def audit(
    database: Database,
    files: Path,
    *,
    failures: Collection[str] = ("interrupted",),
    none_succeeds: bool = False,
) -> AuditResult:
    """Check all generations, reservations, entries, quota uses, files and messages against each other.

    Assumes that nothing runs any more. `failures` are the allowed error codes of failed generations.
    """
    await tasks_closed(database)
    async with database.snapshot() as tx:
        assert await ledger.check_invariants(tx) == []
        generations = list((await tx.execute(select(Generation))).scalars())
        holds = {row.reference: row for row in (await tx.execute(select(CreditReservation))).scalars()}
        entries = list((await tx.execute(select(Entry))).scalars())
        uses = {row.reference: row for row in (await tx.execute(select(QuotaUseRow))).scalars()}
        rows = {row.id: row for row in (await tx.execute(select(File))).scalars()}
        messages = list((await tx.execute(select(Message))).scalars())
    assert sum(entry.amount for entry in entries) == 0
    amounts: dict[tuple[str, str], list[int]] = defaultdict(list)
    for entry in entries:
        amounts[entry.reference, entry.account].append(entry.amount)
    keys = {row.storage_key for row in rows.values()}
    for generation in generations:
        charges = amounts[generation.id, generation.user_id]
        _check(generation, holds.pop(generation.id), uses.pop(generation.id), charges, failures)
        for output in generation.outputs:
            row = rows.pop(output["file_id"])
            blob = (files / row.storage_key).read_bytes()
            assert (row.generation_id, row.bytes) == (generation.id, len(blob))
            assert row.sha256 == hashlib.sha256(blob).hexdigest()
    assert holds == {}
    assert [row for row in rows.values() if row.purpose == "output"] == []
    statuses = Counter(generation.status for generation in generations)
    assert none_succeeds == (statuses["succeeded"] == 0), statuses
    fates = {each.id: each.status == "succeeded" or each.text is not None for each in generations}
    for message in messages:
        if message.role == "assistant":
            fits = "done" if fates[str(message.generation_id)] else "error"
            assert message.status == fits
    orphans = await sweep_orphaned_blobs(database, LocalStorage(files), older_than=timedelta(0))
    left = {str(path.relative_to(files)) for path in files.rglob("*") if path.is_file() and "#" not in path.name}
    assert left == keys
    return AuditResult(statuses, orphans)


def _check(
    generation: Generation, hold: CreditReservation, use: QuotaUseRow, charges: list[int], failures: Collection[str]
) -> None:
    """Check one generation against its reservation, its quota use and the amounts of its ledger entries."""
    is_text = generation.kind in ("text", "chat")
    if generation.status == "succeeded" or generation.text is not None:
        assert 0 < generation.charged <= generation.price
        assert (hold.status, hold.settled_amount, use.status) == ("settled", generation.charged, "consumed")
        assert charges == [-generation.charged]
        if generation.status != "succeeded":  # stopped by its customer, who keeps the text delivered so far
            assert (generation.status, generation.outputs) == ("cancelled", [])
        elif is_text:
            assert generation.text
        else:
            assert generation.charged == generation.price
            assert len(generation.outputs) == (generation.params["count"] if generation.kind == "image" else 1)
        return
    assert (generation.charged, generation.outputs, charges) == (0, [], [])
    assert (hold.status, hold.settled_amount) == ("released", 0)
    if generation.status != "cancelled":
        assert generation.error_code in failures


async def tasks_closed(database: Database) -> None:
    """Wait for all tasks: a process may have crashed between the end of a generation and that of its task."""
    live = "SELECT count(*) FROM tasks WHERE status IN ('queued', 'running') AND name LIKE 'generation.%'"
    async with asyncio.timeout(SETTLE_TIMEOUT):
        while True:
            async with database.snapshot() as tx:
                if (await tx.execute(text(live))).scalar_one() == 0:
                    return
            await asyncio.sleep(0.1)


def assert_logged(log: str, request_ids: Collection[str]) -> None:
    """Assert that the log has an error line for each request that was answered with 500."""
    logged = set()
    for line in log.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and found.get("level") == "error":
            logged.add(found.get("request_id"))
    assert set(request_ids) <= logged, f"no line for {set(request_ids) - logged}"
