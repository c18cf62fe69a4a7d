"""The data export: a ZIP with one JSON file per table, the user's files, and a list of what is excluded and why.

It is streamed to a temporary file, so that a large archive uses disk space and not memory.
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
from hortus.privacy.data_map import DATA_MAP, shown
from hortus.privacy.ownership import by, table_named
from hortus.storage import BlobNotFound, Storage

INTRODUCTION = """This is all data that {brand} stores about you, as of {now}.

- `<name>.json`: rows of the database, one file per table.
- `files/`: files that you uploaded and files that were generated for you.

Times are UTC. Credits are in millionths of a credit, money in the smallest unit of its currency.
Passwords, codes and keys are stored only as digests, which cannot be read; they are not included.

Not included, and why:

"""


async def write_archive(database: Database, storage: Storage, user_id: str, path: Path) -> None:
    """Write the archive of a user to `path`. Each batch is read in its own transaction."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        missing: list[str] = []
        for name, rule in DATA_MAP.items():
            if rule.excluded is None:
                batches = rows.read(database, table_named(name), rule, user_id)
                await _write(archive, f"{name}.json", _as_json(batches), compressed=True)
        async for name, pieces in _blobs(database, storage, user_id):
            try:
                await _write(archive, name, pieces, compressed=False)
            except BlobNotFound:
                missing.append(name)
        await asyncio.to_thread(archive.writestr, "README.txt", _note(missing))


def _note(missing: list[str]) -> str:
    absent = [f"- {name}: {rule.excluded}" for name, rule in DATA_MAP.items() if rule.excluded is not None]
    absent += [f"- {name}: the file is missing in storage" for name in missing]
    return INTRODUCTION.format(brand="this service", now=clock.iso(clock.now())) + "\n".join(absent) + "\n"


async def _write(archive: zipfile.ZipFile, name: str, pieces: AsyncIterator[bytes], *, compressed: bool) -> None:
    info = zipfile.ZipInfo(name, clock.now().timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    first = await anext(pieces, b"")  # a missing blob raises before the member is started
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
    raise TypeError(f"{type(value).__name__} cannot be written to an archive")


async def _blobs(database: Database, storage: Storage, user_id: str) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
    """The user's files that were not deleted, each with its bytes."""
    table = table_named("files")
    async for batch in rows.read(database, table, shown(by("user_id")), user_id):
        for row in batch:
            if row["deleted_at"] is None:
                yield f"files/{row['id']}-{row['filename']}", storage.open(row["storage_key"])
