"""Reservations: hold credit before the work, then settle or release it exactly once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, text

from hortus.core import clock
from hortus.core.db import Tx, UtcDateTime
from hortus.core.db.bulk import BulkStatement
from hortus.core.telemetry import metrics
from hortus.ledger.accounts import Changes, FreeCredit, apply, burn, free_credit, lock, pay_debts
from hortus.ledger.entries import REVENUE, Movement, post
from hortus.ledger.errors import AlreadyReserved, InsufficientCredits, UnknownReservation

_KNOWN = BulkStatement(
    "SELECT reference FROM credit_reservations WHERE reference IN (SELECT d.reference FROM {rows})", reference="text"
)
_INSERT = BulkStatement(
    "INSERT INTO credit_reservations (reference, user_id, amount, settled_amount, status, expires_at, created_at) "
    "SELECT d.reference, d.user_id, d.amount, 0, 'open', d.expires_at, :now FROM {rows} WHERE true "
    "ON CONFLICT (reference) DO NOTHING",
    reference="text", user_id="text", amount="bigint", expires_at="timestamptz",
)  # fmt: skip
_INSERT_PARTS = BulkStatement(
    "INSERT INTO reservation_parts (reference, position, grant_id, amount) "
    "SELECT d.reference, d.position, d.grant_id, d.amount FROM {rows}",
    reference="text", position="bigint", grant_id="text", amount="bigint",
)  # fmt: skip
_READ = BulkStatement(
    "SELECT r.reference, r.user_id, r.amount, r.status, p.grant_id, p.amount FROM credit_reservations AS r "
    "LEFT JOIN reservation_parts AS p ON p.reference = r.reference "
    "WHERE r.reference IN (SELECT d.reference FROM {rows}) ORDER BY r.reference, p.position",
    reference="text",
)
_CLOSE = BulkStatement(
    "UPDATE credit_reservations SET status = d.status, settled_amount = d.settled_amount, closed_at = :now "
    "FROM {rows} WHERE credit_reservations.reference = d.reference "
    "AND credit_reservations.status = 'open' RETURNING credit_reservations.reference",
    reference="text", status="text", settled_amount="bigint",
)  # fmt: skip
_OVERDUE = text(
    "SELECT reference, user_id, amount FROM credit_reservations WHERE status = 'open' AND expires_at <= :now "
    "ORDER BY expires_at LIMIT :limit"
).bindparams(bindparam("now", type_=UtcDateTime()))


@dataclass(frozen=True, slots=True)
class Hold:
    """Parameters of a reservation: `amount` micro-credits (0 is allowed and recorded) for the duration `lasts`."""

    user_id: str
    amount: int
    reference: str
    lasts: timedelta

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ValueError("amount must be >= 0")


@dataclass(frozen=True, slots=True)
class Settlement:
    """Settles a reservation for `amount` micro-credits; None charges all of it."""

    reference: str
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """Releases a whole reservation."""

    reference: str


@dataclass(slots=True)
class _Reserved:
    user_id: str
    amount: int
    is_open: bool
    parts: list[FreeCredit]


@dataclass(frozen=True, slots=True)
class _Closing:
    reference: str
    outcome: str
    amount: int | None


async def reserve(tx: Tx, user_id: str, amount: int, *, reference: str, lasts: timedelta) -> None:
    """Hold `amount` micro-credits; raises InsufficientCredits or AlreadyReserved."""
    (problem,) = await reserve_many(tx, [Hold(user_id, amount, reference, lasts)])
    if problem is not None:
        raise problem


async def reserve_many(tx: Tx, holds: Sequence[Hold]) -> list[InsufficientCredits | AlreadyReserved | None]:
    """Reserve in order, first come, first served: None where it succeeded, otherwise the error.

    Of N parallel calls against credit for k, exactly k succeed.
    """
    now = clock.now()
    paying = {hold.user_id for hold in holds if hold.amount}
    debts = await lock(tx, paying)
    known = set((await _KNOWN.run(tx, [{"reference": hold.reference} for hold in holds])).scalars())
    free = await free_credit(tx, sorted(debts), now)
    answers: list[InsufficientCredits | AlreadyReserved | None] = []
    changes = Changes()
    reservations: list[dict[str, object]] = []
    parts: list[dict[str, object]] = []
    for hold in holds:
        # A user without an account row never had a grant.
        available = sum(source.amount for source in free.get(hold.user_id, ())) - debts.get(hold.user_id, 0)
        if hold.reference in known:
            answers.append(AlreadyReserved(hold.reference))
        elif hold.amount > max(available, 0):
            answers.append(InsufficientCredits(hold.amount, available))
        else:
            answers.append(None)
            known.add(hold.reference)
            reservations.append(_row_of(hold, now))
            for position, part in enumerate(burn(free.get(hold.user_id, []), hold.amount)):
                changes.grant(part.grant_id, held=part.amount)
                parts.append(
                    {
                        "reference": hold.reference,
                        "position": position,
                        "grant_id": part.grant_id,
                        "amount": part.amount,
                    }
                )
            changes.account(hold.user_id, held=hold.amount)
    await apply(tx, changes)
    if reservations and (await _INSERT.run(tx, reservations, now=now)).rowcount != len(reservations):
        # Another transaction inserted one of the references after our SELECT; a retry finds out which.
        raise AlreadyReserved(str(reservations[0]["reference"]) if len(reservations) == 1 else "")
    if parts:
        await _INSERT_PARTS.run(tx, parts)
    return answers


def _row_of(hold: Hold, now: datetime) -> dict[str, object]:
    return {
        "reference": hold.reference,
        "user_id": hold.user_id,
        "amount": hold.amount,
        "expires_at": now + hold.lasts,
    }


async def settle(tx: Tx, reference: str, amount: int | None = None) -> bool:
    """Charge `amount` of the reservation (all of it by default) and release the rest.

    False when it was settled, released or expired before. Raises ValueError for more than was reserved, and
    UnknownReservation.
    """
    return _first(await close_many(tx, [Settlement(reference, amount)]))


async def release(tx: Tx, reference: str) -> bool:
    """Release the whole reservation. False when it was closed before."""
    return _first(await close_many(tx, [Release(reference)]))


async def close_many(tx: Tx, closings: Sequence[Settlement | Release]) -> list[bool | ValueError | UnknownReservation]:
    """`settle` or `release` each, under one lock; errors are returned in place, not raised."""
    return await _close(tx, [_closing(each) for each in closings])


def _closing(closing: Settlement | Release) -> _Closing:
    if isinstance(closing, Settlement):
        return _Closing(closing.reference, "settled", closing.amount)
    return _Closing(closing.reference, "released", 0)


async def expire_reservations(tx: Tx, *, limit: int = 500) -> list[str]:
    """Release reservations that were not closed before `expires_at`. Returns their references.

    Handles at most `limit` reservations per call and skips accounts that are locked: repeat until it returns none.
    """
    overdue = (await tx.execute(_OVERDUE, {"now": clock.now(), "limit": limit})).all()
    locked = await lock(tx, {user_id for _, user_id, amount in overdue if amount}, skip_locked=True)
    closings = [
        _Closing(reference, "expired", 0) for reference, user_id, amount in overdue if amount == 0 or user_id in locked
    ]
    answers = await _close(tx, closings)
    return [closing.reference for closing, closed in zip(closings, answers, strict=True) if closed is True]


def _first(answers: Sequence[bool | ValueError | UnknownReservation]) -> bool:
    (answer,) = answers
    if isinstance(answer, Exception):
        raise answer
    return answer


async def _close(tx: Tx, closings: Sequence[_Closing]) -> list[bool | ValueError | UnknownReservation]:
    if not closings:
        return []
    now = clock.now()
    # User and amount are immutable, so they are read before the lock; `_CLOSE` decides which call closes it.
    reserved = await _read(tx, [closing.reference for closing in closings])
    answers: list[bool | ValueError | UnknownReservation] = []
    wanted: dict[str, _Closing] = {}
    for closing in closings:
        found = reserved.get(closing.reference)
        if found is None:
            answers.append(UnknownReservation())
        elif closing.amount is not None and not 0 <= closing.amount <= found.amount:
            answers.append(ValueError(f"amount must be 0 to {found.amount}, not {closing.amount}"))
        else:
            first = found.is_open and closing.reference not in wanted
            answers.append(first)
            if first:
                wanted[closing.reference] = closing
    debts = await lock(tx, {reserved[reference].user_id for reference in wanted if reserved[reference].amount})
    closed = await _mark_closed(tx, reserved, wanted.values(), now)
    await _move(tx, reserved, [wanted[reference] for reference in sorted(closed)], now)
    if any(debts.values()):
        await pay_debts(tx, debts, now)
    return [
        answer is True and closing.reference in closed if isinstance(answer, bool) else answer
        for closing, answer in zip(closings, answers, strict=True)
    ]


async def _read(tx: Tx, references: Iterable[str]) -> dict[str, _Reserved]:
    found: dict[str, _Reserved] = {}
    rows = await _READ.run(tx, [{"reference": reference} for reference in references])
    for reference, user_id, amount, status, grant_id, part in rows:
        entry = found.setdefault(reference, _Reserved(user_id, amount, status == "open", []))
        if grant_id is not None:
            entry.parts.append(FreeCredit(grant_id, part))
    return found


async def _mark_closed(tx: Tx, reserved: dict[str, _Reserved], closings: Iterable[_Closing], now: datetime) -> set[str]:
    rows = [
        {
            "reference": closing.reference,
            "status": closing.outcome,
            "settled_amount": reserved[closing.reference].amount if closing.amount is None else closing.amount,
        }
        for closing in sorted(closings, key=lambda closing: closing.reference)
    ]
    return set((await _CLOSE.run(tx, rows, now=now)).scalars()) if rows else set()


async def _move(tx: Tx, reserved: dict[str, _Reserved], closings: Sequence[_Closing], now: datetime) -> None:
    changes = Changes()
    movements: list[Movement] = []
    for closing in closings:
        found = reserved[closing.reference]
        paid = found.amount if closing.amount is None else closing.amount
        changes.account(found.user_id, balance=-paid, held=-found.amount)
        movements.append(Movement(closing.reference, found.user_id, REVENUE, paid, "settle"))
        for part in found.parts:
            spent = min(part.amount, paid)
            paid -= spent
            changes.grant(part.grant_id, held=-part.amount, remaining=-spent)
    await apply(tx, changes)
    await post(tx, movements, now)
    settled = sum(movement.amount for movement in movements)
    if settled:
        tx.after_commit(lambda: metrics.SETTLED.inc(settled))
