"""Which processes work, and when each was last alive, by the database's clock."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select

from hortus.core.db import Tx, db_now
from hortus.tasks.tables import Worker

FORGOTTEN_AFTER = 86400.0
SERVER = "server"
"""The kind of a process that serves and leaves work to others."""


async def show(
    tx: Tx,
    name: str,
    kind: str,
    room: Mapping[str, int],
    running: int,
    settings: Mapping[str, str] | None = None,
) -> None:
    """Note that the process `name` lives and how many tasks it runs now; `room` is how many it could, by queue.

    `settings` are those that must be equal in all processes (`core.shared_settings`).
    """
    born = tx.insert(Worker).values(
        name=name,
        kind=kind,
        room=dict(room),
        settings=dict(settings or {}),
        running=running,
        started_at=db_now(),
        seen_at=db_now(),
    )
    await tx.execute(
        born.on_conflict_do_update(index_elements=["name"], set_={"running": running, "seen_at": db_now()})
    )


async def leave(tx: Tx, name: str) -> None:
    """Forget a process that stops in good order, and those that died long ago."""
    gone = (Worker.name == name) | (Worker.seen_at < db_now(-FORGOTTEN_AFTER))
    await tx.execute(delete(Worker).where(gone).execution_options(synchronize_session=False))


async def processes(tx: Tx, *, within: float = 60.0) -> Sequence[Worker]:
    """Every process seen within that many seconds, oldest first. Heartbeats come three times per lease."""
    query = select(Worker).where(Worker.seen_at >= db_now(-within)).order_by(Worker.started_at, Worker.name)
    return (await tx.execute(query)).scalars().all()


async def workers(tx: Tx, *, within: float = 60.0) -> Sequence[Worker]:
    """Those of them that work or schedule."""
    return [each for each in await processes(tx, within=within) if each.kind != SERVER]
