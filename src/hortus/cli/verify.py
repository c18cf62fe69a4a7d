"""Verify the ledger, the files and the audit log from the command line: `hortus verify`, `hortus audit verify`."""

from sqlalchemy import exc

from hortus import admin, files, ledger
from hortus.core.db import Database
from hortus.core.settings import Settings
from hortus.main import inventory
from hortus.main.bootstrap import open_app
from hortus.ops.databases import open_database
from hortus.storage import BlobNotFound, Storage


async def verify_all(settings: Settings) -> tuple[list[str], str]:
    """One line for each violation, and a summary of what was checked. For use after a restore.

    The ledger must balance, every file row must have its blob with the recorded size, and the audit log must be one
    chain.
    """
    broken: list[str] = []
    checked_files = 0
    try:
        async with open_app(settings, work=False, role="console") as resources:
            database, storage = resources[Database], resources[Storage]
            async with database.snapshot() as tx:
                broken += [f"ledger: {line}" for line in await ledger.check_invariants(tx)]
            after = ""
            while True:
                async with database.snapshot() as tx:
                    rows = await files.stored_files(tx, after=after, limit=1000)
                for row in rows:
                    try:
                        size = await storage.size(row.key)
                        if size != row.bytes:
                            broken.append(f"file {row.id}: {size} bytes instead of {row.bytes}")
                    except BlobNotFound:
                        broken.append(f"file {row.id}: its blob is missing")
                checked_files += len(rows)
                if not rows:
                    break
                after = rows[-1].id
    except exc.DBAPIError as error:
        return [f"the database cannot be read: {type(error.orig).__name__}"], "Run `hortus migrate`?"
    chain, line = await verify_audit(settings, None)
    return broken + chain, f"Checked the ledger and {checked_files} files. {line}"


async def verify_audit(settings: Settings, expect: str | None) -> tuple[list[str], str]:
    """One line for each violation, and a summary with the end of the chain, to be kept elsewhere.

    `expect` is `POSITION:DIGEST` from an earlier run, which detects a chain that was rewritten as a whole.
    """
    try:
        expected = _parse_expected(expect)
    except ValueError:
        return [f"{expect!r} is not POSITION:DIGEST as an earlier run printed it"], "Nothing was checked."
    inventory.check()
    inventory.note()
    database = open_database(settings, "console")
    broken: list[str] = []
    last = checked = erased = 0
    try:
        # A part ends at the expected position, so that its digest is compared.
        while True:
            room = expected[0] - last if expected is not None and last < expected[0] else 10_000
            async with database.snapshot() as tx:
                part = await admin.verify(tx, after=last, limit=min(room, 10_000))
            broken += [f"event {each['position']}: {each['what']}" for each in part.broken]
            checked, erased, last = checked + part.checked, erased + part.notes_erased, part.last
            if expected is not None and last == expected[0] and part.last_digest != expected[1]:
                broken.append(f"event {last}: its digest differs from the expected one")
            if part.finished:
                break
    except exc.DBAPIError as error:
        return [f"the audit log cannot be read: {type(error.orig).__name__}"], "Is the database migrated?"
    finally:
        await database.close()
    if expected is not None and expected[0] > last:
        broken.append(f"event {expected[0]}: expected, and missing")
    notes = f", {erased} reasons erased" if erased else ""
    state = "does not hold" if broken else "holds"
    return broken, f"The audit log {state}: {checked} events{notes}, ending at {part.head}:{part.head_digest}"


def _parse_expected(expect: str | None) -> tuple[int, str] | None:
    if expect is None:
        return None
    position, _, digest = expect.partition(":")
    if len(digest) != 64 or int(position) < 1:
        raise ValueError(expect)
    return int(position), digest
