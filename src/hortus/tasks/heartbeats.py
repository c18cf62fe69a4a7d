"""Heartbeats of processes, by the database's clock: which are alive, and how many tasks each can run."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select

from hortus.core.db import Tx, db_now
from hortus.tasks.tables import Worker

KEPT_SECONDS = 86400.0
SERVER = "server"
"""The kind of a process that serves requests and runs no tasks."""


async def beat(
    tx: Tx,
    name: str,
    kind: str,
    slots: Mapping[str, int],
    running: int,
    settings: Mapping[str, str] | None = None,
) -> None:
    """Record that the process `name` is alive and runs that many tasks; `slots` are its limits by queue.

    `settings` are those that must be equal in all processes (`core.shared_settings`).
    """
    insert = tx.insert(Worker).values(
        name=name,
        kind=kind,
        slots=dict(slots),
        settings=dict(settings or {}),
        running=running,
        started_at=db_now(),
        seen_at=db_now(),
    )
    await tx.execute(
        insert.on_conflict_do_update(index_elements=["name"], set_={"running": running, "seen_at": db_now()})
    )


async def remove(tx: Tx, name: str) -> None:
    """Delete the row of a process that stops, and the rows of processes without a heartbeat for a day."""
    stopped = (Worker.name == name) | (Worker.seen_at < db_now(-KEPT_SECONDS))
    await tx.execute(delete(Worker).where(stopped).execution_options(synchronize_session=False))


async def processes(tx: Tx, *, within: float = 60.0) -> Sequence[Worker]:
    """Every process seen within that many seconds, oldest first. Heartbeats come three times per lease."""
    query = select(Worker).where(Worker.seen_at >= db_now(-within)).order_by(Worker.started_at, Worker.name)
    return (await tx.execute(query)).scalars().all()


async def workers(tx: Tx, *, within: float = 60.0) -> Sequence[Worker]:
    """The processes that run or schedule tasks."""
    return [each for each in await processes(tx, within=within) if each.kind != SERVER]
