"""Generations of all users, for staff, and taking one down."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, literal_column, select, update

from hortus import files
from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.core.errors import Conflict
from hortus.core.events import Bus
from hortus.core.signals import Signal
from hortus.generation.errors import GenerationNotFound
from hortus.generation.event_context import EventContext
from hortus.generation.tables import Generation
from hortus.generation.transitions import Outcome, end

# Literals, so that SQLite uses the partial indexes of these conditions.
_FAILED: ColumnElement[bool] = literal_column("generations.status = 'failed'")
_TAKEN_DOWN: ColumnElement[bool] = literal_column("generations.taken_down_at IS NOT NULL")


class AlreadyTakenDown(Conflict):
    """It was taken down before."""

    code, title = "already_taken_down", "This was taken down already"
    detail = "It cannot be fetched any more; there is nothing left to do."


@dataclass(frozen=True, slots=True)
class TakenDown:
    """A generation that was just taken down, for the packages that store a copy of its text."""

    id: str
    user_id: str
    event_context: EventContext | None


taken_down: Signal[TakenDown] = Signal("generation.taken_down")


async def list_of_all_users(
    tx: Tx,
    paging: PageRequest,
    *,
    user_id: str | None = None,
    kind: str | None = None,
    failed: bool = False,
    taken_down: bool = False,
) -> Page[Any]:
    """Generations of all users, newest first; deleted ones too, without the content that their owner deleted."""
    query = select(Generation)
    if user_id is not None:
        query = query.where(Generation.user_id == user_id)
    if kind is not None:
        query = query.where(Generation.kind == kind)
    if failed:
        query = query.where(_FAILED)
    if taken_down:
        query = query.where(_TAKEN_DOWN)
    return await newest(tx, query, paging, Generation.id)


async def find_of_any_user(tx: Tx, generation_id: str) -> Generation:
    """A generation of any user; raises GenerationNotFound."""
    found = (await tx.execute(select(Generation).where(Generation.id == generation_id))).scalar_one_or_none()
    if found is None:
        raise GenerationNotFound
    return found


async def take_down(tx: Tx, bus: Bus, generation_id: str) -> Generation:
    """Withhold a generation from everyone, its owner included; a live one is cancelled and not charged.

    Its text and outputs stay in `withheld`, for a review of the takedown. Raises GenerationNotFound,
    AlreadyTakenDown.
    """
    found = await find_of_any_user(tx, generation_id)
    await end(tx, bus, generation_id, Outcome("cancelled"))
    await tx.refresh(found)  # ended now, by us or before: its outputs change no more
    withheld = {"text": found.text, "outputs": found.outputs}
    moved = (
        update(Generation)
        .where(Generation.id == generation_id, Generation.taken_down_at.is_(None))
        .values(taken_down_at=clock.now(), withheld=withheld, text=None, outputs=[])
        .returning(Generation.id)
        .execution_options(synchronize_session=False)
    )
    if (await tx.execute(moved)).first() is None:
        raise AlreadyTakenDown
    await files.delete(tx, found.user_id, [output["file_id"] for output in found.outputs])
    await taken_down.send(tx, TakenDown(found.id, found.user_id, EventContext.of(found.params)))
    await tx.refresh(found)
    return found
