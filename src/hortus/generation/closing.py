"""The works of somebody whose account is erased."""

from sqlalchemy import select

from hortus.core.db import Tx
from hortus.core.events import Bus
from hortus.generation.ending import Outcome, end_many
from hortus.generation.tables import LIVE, Generation


async def cancel_all(tx: Tx, bus: Bus, user_id: str) -> int:
    """End whatever still runs for a user, at once and free of charge. How many those were."""
    query = select(Generation.id).where(Generation.user_id == user_id, Generation.status.in_(LIVE))
    running = list((await tx.execute(query.order_by(Generation.id))).scalars())
    return len(await end_many(tx, bus, dict.fromkeys(running, Outcome("cancelled"))))
