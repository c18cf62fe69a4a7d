"""Crash points: a process of Hortus kills itself with SIGKILL at a chosen point: `CRASH_AT=stored:2`.

Hooks in the libraries (SQLAlchemy's events, the HTTP client, the blob store) detect the points, so Hortus itself is
unchanged. `:2` lets the process pass the point twice before.
"""

import asyncio
import os
import signal
from collections import Counter
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

CRASH_AT = "CRASH_AT"
WORKER_POINTS = (
    "claimed",  # the lease is committed, nothing else
    "marking",  # before the row says `running`
    "running",  # after that commit
    "calling",  # before the vendor is asked
    "answered",  # the head of its answer is here
    "reading",  # in the middle of its answer
    "noting",  # a job was bought, its id is not yet written
    "noted",  # the job's id is committed
    "storing",  # before an output is written
    "stored",  # after it, its row is not yet there
    "ending",  # in the last transaction, between its statements
    "committing",  # everything is written, COMMIT is not sent
    "ended",  # committed; the broker and the listeners do not know
)
API_POINTS = ("accepting", "accepted")
PRIVACY_POINTS = (
    "exporting",  # before an archive is noted as ready: its blob is written
    "exported",  # after that commit, its task is not yet closed
    "erasing",  # in the middle of an erasure: some tables are empty, others not
    "erased",  # after the last of its commits, its task is not yet closed
)
passed: Counter[str] = Counter()
marks: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
point, skip = "", ""


def crash() -> NoReturn:
    """Kill this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def at(name: str) -> None:
    """Crash here, if this is the chosen point and it was passed often enough."""
    if name == point:
        passed[name] += 1
        if passed[name] > int(skip or 0):
            crash()


def kind_of(statement: str) -> str:
    """The step of a generation or account that a statement belongs to."""
    if "UPDATE tasks SET" in statement and "lost AS" in statement:
        return "claim"
    if statement.startswith("INSERT INTO generations"):
        return "accept"
    if statement.startswith("UPDATE generations SET"):
        assigned = statement.partition(" WHERE ")[0].replace(" ", "")
        for column, name in (("finished_at=", "end"), ("job_handle=", "note"), ("started_at=", "mark")):
            if column in assigned:
                return name
    for start, name in (
        ("UPDATE data_exports SET status", "export"),
        ("DELETE FROM chatrooms", "erase"),
        ("UPDATE account_deletions SET", "erasure"),
    ):
        if statement.startswith(start):
            return name
    return ""


BEFORE = {"mark": "marking", "note": "noting", "export": "exporting", "erase": "erasing"}
WRITTEN = {"end": "ending"}
COMMITTING = {"end": "committing", "accept": "accepting"}
COMMITTED = {"claim": "claimed", "mark": "running", "note": "noted", "end": "ended", "accept": "accepted"}
COMMITTED |= {"export": "exported", "erasure": "erased"}


def watch_database() -> None:
    """Detect the points of the database."""
    from sqlalchemy import Engine, event
    from sqlalchemy.orm import Session

    def begun(*_: Any) -> None:
        marks[asyncio.current_task()] = set()

    def before(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        at(BEFORE.get(kind_of(statement), ""))

    def after(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        kind = kind_of(statement)
        if kind:
            marks.setdefault(asyncio.current_task(), set()).add(kind)
            at(WRITTEN.get(kind, ""))

    def committing(_session: Any) -> None:
        for kind in marks.get(asyncio.current_task(), ()):
            at(COMMITTING.get(kind, ""))

    def committed(_session: Any) -> None:
        for kind in marks.pop(asyncio.current_task(), ()):
            at(COMMITTED.get(kind, ""))

    event.listen(Session, "after_begin", begun)
    event.listen(Session, "before_commit", committing)
    event.listen(Session, "after_commit", committed)
    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)


def watch_vendors() -> None:
    """Detect the points of a call to a provider."""
    import aiohttp

    request, read = aiohttp.ClientSession._request, aiohttp.StreamReader.readany

    async def asking(self: Any, *given: Any, **options: Any) -> Any:
        at("calling")
        answer = await request(self, *given, **options)
        at("answered")
        return answer

    async def reading(self: Any) -> bytes:
        piece = await read(self)
        at("reading")
        return piece

    aiohttp.ClientSession._request = asking  # type: ignore[method-assign]
    aiohttp.StreamReader.readany = reading  # type: ignore[method-assign]


def watch_blobs() -> None:
    """Detect the points of writing an output."""
    import obstore

    put = obstore.put_async

    async def putting(*given: Any, **options: Any) -> Any:
        at("storing")
        answer = await put(*given, **options)
        at("stored")
        return answer

    obstore.put_async = putting


def prepare() -> None:
    """Install the hooks, if the environment names a point."""
    global point, skip
    point, _, skip = os.environ.get(CRASH_AT, "").partition(":")
    if point:
        watch_database()
        watch_vendors()
        watch_blobs()
