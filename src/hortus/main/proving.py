"""Prove the audit log from the command line, from its first event to its last."""

from sqlalchemy import exc

from hortus import admin
from hortus.core.db import Database
from hortus.core.settings import Settings


async def prove_audit(settings: Settings, expect: str | None) -> tuple[list[str], str]:
    """What is broken, line by line, and a last line with the end of the chain to note down elsewhere.

    `expect` is `POSITION:DIGEST` of an earlier proof: a chain that was written anew as a whole is found by it.
    """
    try:
        noted = _noted(expect)
    except ValueError:
        return [f"{expect!r} is not POSITION:DIGEST as an earlier proof printed it"], "Nothing was checked."
    database = Database(settings.database)
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
