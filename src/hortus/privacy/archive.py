"""Everything we know of a user as one ZIP: a JSON file per table, the files themselves, and what is not there and why.

It is written to a temporary file piece by piece; a large archive takes disk, never memory.
"""

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from hortus.core import clock
from hortus.core.db import Database
from hortus.privacy import rows
from hortus.privacy.rules import RULES, shown
from hortus.privacy.whose import by, table_named
from hortus.storage import BlobNotFound, Storage

INTRODUCTION = """This is everything {brand} knows of you, as of {now}.

- `<name>.json`: what stands in the database, one file per kind of thing.
- `files/`: what you uploaded and what was made for you.

Times are UTC. Credits are in millionths of a credit, money in the smallest unit of its currency.
Passwords, codes and keys are kept only as digests, which nobody can read; they are not here.

Not here, and why:

"""


async def write_archive(database: Database, storage: Storage, user_id: str, path: Path) -> None:
    """Write the archive of a user to `path`. No transaction is open for longer than a batch."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        missing: list[str] = []
        for name, rule in RULES.items():
            if rule.left_out is None:
                batches = rows.read(database, table_named(name), rule, user_id)
                await _write(archive, f"{name}.json", _as_json(batches), compressed=True)
        async for name, pieces in _blobs(database, storage, user_id):
            try:
                await _write(archive, name, pieces, compressed=False)
            except BlobNotFound:
                missing.append(name)
        await asyncio.to_thread(archive.writestr, "README.txt", _note(missing))


def _note(missing: list[str]) -> str:
    absent = [f"- {name}: {rule.left_out}" for name, rule in RULES.items() if rule.left_out is not None]
    absent += [f"- {name}: it could not be found" for name in missing]
    return INTRODUCTION.format(brand="this service", now=clock.iso(clock.now())) + "\n".join(absent) + "\n"


async def _write(archive: zipfile.ZipFile, name: str, pieces: AsyncIterator[bytes], *, compressed: bool) -> None:
    info = zipfile.ZipInfo(name, clock.now().timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    first = await anext(pieces, b"")  # a blob that is gone says so before its member is begun
    with archive.open(info, "w", force_zip64=True) as member:
        await asyncio.to_thread(member.write, first)
        async for piece in pieces:
            await asyncio.to_thread(member.write, piece)


async def _as_json(batches: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    between = b"[\n"
    async for batch in batches:
        lines = ",\n".join(json.dumps(row, ensure_ascii=False, default=_plain) for row in batch)
        yield between + lines.encode()
        between = b",\n"
    yield b"[]\n" if between == b"[\n" else b"\n]\n"


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return clock.iso(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in an archive")


async def _blobs(database: Database, storage: Storage, user_id: str) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
    """The files that are still there, each with its bytes."""
    table = table_named("files")
    async for batch in rows.read(database, table, shown(by("user_id")), user_id):
        for row in batch:
            if row["deleted_at"] is None:
                yield f"files/{row['id']}-{row['filename']}", storage.open(row["storage_key"])
