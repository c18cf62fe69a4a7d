"""Identifiers of users: e-mail addresses and mobile numbers, each verified or not."""

from dataclasses import dataclass

from sqlalchemy import delete, func, select, update

from hortus.accounts.errors import TooManyIdentifiers
from hortus.accounts.signup_bonus import claim_signup_bonus
from hortus.accounts.tables import Identifier, User
from hortus.accounts.targets import Target
from hortus.core import clock
from hortus.core.db import Tx

MOST = 10
"""Identifiers of one user."""


@dataclass(frozen=True, slots=True)
class IdentifierOwner:
    """The user who has an identifier."""

    user_id: str
    status: str
    verified: bool


async def find_owner(tx: Tx, target: Target) -> IdentifierOwner | None:
    """The user who has an identifier, if any."""
    query = (
        select(User.id, User.status, Identifier.verified_at)
        .join(Identifier, Identifier.user_id == User.id)
        .where(Identifier.kind == target.kind, Identifier.value == target.value, User.status != "deleted")
    )
    row = (await tx.execute(query)).one_or_none()
    return IdentifierOwner(row.id, row.status, row.verified_at is not None) if row is not None else None


async def delete_unverified(tx: Tx, target: Target) -> None:
    """Delete an identifier that its user has not verified."""
    await tx.execute(
        delete(Identifier).where(
            Identifier.kind == target.kind, Identifier.value == target.value, Identifier.verified_at.is_(None)
        )
    )


async def mark_verified(tx: Tx, user_id: str, target: Target) -> bool:
    """Record that the user controls the target; False if it is not an identifier of theirs. Idempotent."""
    held = (Identifier.user_id == user_id, Identifier.kind == target.kind, Identifier.value == target.value)
    first = await tx.execute(
        update(Identifier)
        .where(*held, Identifier.verified_at.is_(None))
        .values(verified_at=clock.now())
        .returning(Identifier.id)
    )
    if first.first() is None:
        return (await tx.execute(select(Identifier.id).where(*held))).first() is not None
    await claim_signup_bonus(tx, user_id, target, verified=True)
    return True


async def first_unverified_email(tx: Tx, user_id: str) -> Target | None:
    """The oldest address of a user that waits to be verified."""
    query = (
        select(Identifier.value)
        .where(Identifier.user_id == user_id, Identifier.kind == "email", Identifier.verified_at.is_(None))
        .order_by(Identifier.id)
        .limit(1)
    )
    value = (await tx.execute(query)).scalar_one_or_none()
    return Target("email", value) if value is not None else None


async def identifiers_of(tx: Tx, user_id: str) -> list[Identifier]:
    """All identifiers of a user, the oldest first."""
    query = select(Identifier).where(Identifier.user_id == user_id).order_by(Identifier.id).limit(MOST + 1)
    return list((await tx.execute(query)).scalars())


async def check_identifier_limit(tx: Tx, user_id: str) -> None:
    """Raise TooManyIdentifiers if the user has the maximum."""
    query = select(func.count()).select_from(Identifier).where(Identifier.user_id == user_id)
    if (await tx.execute(query)).scalar_one() >= MOST:
        raise TooManyIdentifiers
