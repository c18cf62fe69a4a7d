"""Prove from the command line that the books, the files and the audit log are whole."""

from sqlalchemy import exc

from hortus import admin, files, ledger
from hortus.core.db import Database
from hortus.core.settings import Settings
from hortus.main import inventory
from hortus.main.databases import open_database
from hortus.main.opening import opened
from hortus.storage import BlobNotFound, Storage


async def prove_all(settings: Settings) -> tuple[list[str], str]:
    """What is broken, line by line, and a last line with what was looked at. For use after a restore.

    The ledger must balance, every file that a row knows must lie where it says in the size it says, and the audit
    log must be one chain.
    """
    broken: list[str] = []
    looked = 0
    try:
        async with opened(settings, work=False, role="console") as resources:
            database, storage = resources.get(Database), resources.get(Storage)
            async with database.snapshot() as tx:
                broken += [f"ledger: {line}" for line in await ledger.prove(tx)]
            after = ""
            while True:
                async with database.snapshot() as tx:
                    rows = await files.stored(tx, after=after, limit=1000)
                for row in rows:
                    try:
                        size = await storage.size(row.key)
                        if size != row.bytes:
                            broken.append(f"file {row.id}: {size} bytes instead of {row.bytes}")
                    except BlobNotFound:
                        broken.append(f"file {row.id}: it is gone")
                looked += len(rows)
                if not rows:
                    break
                after = rows[-1].id
    except exc.DBAPIError as error:
        return [f"the database cannot be read: {type(error.orig).__name__}"], "Run `hortus migrate`?"
    chain, line = await prove_audit(settings, None)
    return broken + chain, f"Looked at the ledger and {looked} files. {line}"


async def prove_audit(settings: Settings, expect: str | None) -> tuple[list[str], str]:
    """What is broken, line by line, and a last line with the end of the chain to note down elsewhere.

    `expect` is `POSITION:DIGEST` of an earlier proof: a chain that was written anew as a whole is found by it.
    """
    try:
        noted = _noted(expect)
    except ValueError:
        return [f"{expect!r} is not POSITION:DIGEST as an earlier proof printed it"], "Nothing was checked."
    inventory.check()
    inventory.note()
    database = open_database(settings, "console")
    broken: list[str] = []
    last = checked = erased = 0
    try:
        # A stretch ends where something was noted, so that its digest is seen.
        while True:
            room = noted[0] - last if noted is not None and last < noted[0] else 10_000
            async with database.snapshot() as tx:
                proof = await admin.verify(tx, after=last, limit=min(room, 10_000))
            broken += [f"event {each['position']}: {each['what']}" for each in proof.broken]
            checked, erased, last = checked + proof.checked, erased + proof.notes_erased, proof.last
            if noted is not None and last == noted[0] and proof.last_digest != noted[1]:
                broken.append(f"event {last}: it is not the one that was noted")
            if proof.finished:
                break
    except exc.DBAPIError as error:
        return [f"the audit log cannot be read: {type(error.orig).__name__}"], "Is the database migrated?"
    finally:
        await database.close()
    if noted is not None and noted[0] > last:
        broken.append(f"event {noted[0]}: it was noted and is gone")
    notes = f", {erased} reasons erased" if erased else ""
    state = "does not hold" if broken else "holds"
    return broken, f"The audit log {state}: {checked} events{notes}, ending at {proof.head}:{proof.head_digest}"


def _noted(expect: str | None) -> tuple[int, str] | None:
    if expect is None:
        return None
    position, _, digest = expect.partition(":")
    if len(digest) != 64 or int(position) < 1:
        raise ValueError(expect)
    return int(position), digest
