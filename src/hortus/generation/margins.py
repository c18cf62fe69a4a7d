"""Margins of models: credits charged to customers beside money charged by vendors."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select

from hortus.core import ids
from hortus.core.db import Tx
from hortus.generation.tables import ENDED, Generation, charged_of


@dataclass(frozen=True, slots=True)
class Margin:
    """One model at one provider: `price` charged to customers in micro-credits, `cost` in millionths of `currency`."""

    model: str
    provider: str | None
    currency: str | None
    works: int
    succeeded: int
    price: int
    cost: int


async def margins(tx: Tx, start: datetime, end: datetime) -> list[Margin]:
    """Of generations that were accepted from `start` until before `end` and have ended; failed ones have no price."""
    good = Generation.status == "succeeded"
    query = (
        select(
            Generation.model,
            Generation.provider,
            Generation.cost_currency,
            func.count(),
            func.sum(case((good, 1), else_=0)),
            func.sum(charged_of()),
            func.coalesce(func.sum(Generation.cost), 0),
        )
        .where(Generation.id >= ids.lowest_at(start), Generation.id < ids.lowest_at(end), Generation.status.in_(ENDED))
        .group_by(Generation.model, Generation.provider, Generation.cost_currency)
        .order_by(Generation.model, Generation.provider, Generation.cost_currency)
    )
    return [
        Margin(model, provider, currency, int(works), int(done), int(price), int(cost))
        for model, provider, currency, works, done, price, cost in (await tx.execute(query)).all()
    ]
