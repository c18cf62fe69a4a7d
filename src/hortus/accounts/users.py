"""Users: registration, login data, profile, and the setup token of the first administrator."""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from hortus.accounts.consents import SignUpDetails, announce_sign_up_consents
from hortus.accounts.errors import EmailTaken, SetupClosed
from hortus.accounts.secret_tokens import digest_of, new_secret
from hortus.accounts.signup_bonus import claim_signup_bonus
from hortus.accounts.tables import SIGN_IN_STATUSES, Identifier, SetupToken, User
from hortus.accounts.targets import Target
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.db.compiled_select import Executor, PreparedSelect
from hortus.core.signals import Signal

user_registered: Signal[str] = Signal("accounts.user_registered")
"""Sent with the user's id in the transaction that creates the user."""

user_referred: Signal[tuple[str, str]] = Signal("accounts.user_referred")
"""Sent with (user id, referral code as entered) in the transaction that creates the user."""

staff_created: Signal[tuple[str, str]] = Signal("accounts.staff_created")
"""Sent with (user id, role) in the transaction that creates a user with a role above `user`."""


class Profile(NamedTuple):
    """The profile of a user."""

    id: str
    name: str | None
    role: str
    email: str | None
    mobile_number: str | None


async def register(
    tx: Tx,
    *,
    email: str,
    password_hash: str,
    name: str | None,
    marketing_consent: bool = False,
    network: str | None = None,
    role: str = "user",
    referral: str | None = None,
) -> str:
    """Make a user with an unverified e-mail address (normalised by the caller); the id. Raises EmailTaken."""
    taken = select(Identifier.id).where(Identifier.kind == "email", Identifier.value == email)
    if (await tx.execute(taken)).first() is not None:
        raise EmailTaken
    details = SignUpDetails(
        name,
        password_hash,
        terms_accepted=True,
        marketing_consent=marketing_consent,
        network=network,
        referral=referral,
    )
    try:
        return await create_user(tx, Target("email", email), details, verified=False, role=role)
    except IntegrityError as error:  # the address was registered concurrently
        raise EmailTaken from error


async def create_user(
    tx: Tx, target: Target | None, details: SignUpDetails, *, verified: bool, role: str = "user"
) -> str:
    """Create a user, with an identifier if `target` is given; returns the id. Raises IntegrityError if it is taken."""
    now, user_id = clock.now(), ids.new()
    user = {
        "id": user_id,
        "name": details.name,
        "role": role,
        "status": "active",
        "password_hash": details.password_hash,
        "marketing_consent": details.marketing_consent,
        "terms_accepted_at": now if details.terms_accepted else None,
        "created_at": now,
        "updated_at": now,
    }
    await tx.execute(insert(User), user)
    if target is not None:
        row = {"id": ids.new(), "user_id": user_id, "kind": target.kind, "value": target.value, "created_at": now}
        await tx.execute(insert(Identifier), {**row, "verified_at": now if verified else None})
    await user_registered.send(tx, user_id)
    await announce_sign_up_consents(tx, user_id, details)
    if details.referral is not None:
        await user_referred.send(tx, (user_id, details.referral))
    if role != "user":
        await staff_created.send(tx, (user_id, role))
    if target is not None:
        await claim_signup_bonus(tx, user_id, target, verified=verified)
    return user_id


async def find_for_login(tx: Tx, kind: str, value: str) -> tuple[str, str | None, str] | None:
    """(user id, password hash, status) behind an identifier, if there is one."""
    query = (
        select(User.id, User.password_hash, User.status)
        .join(Identifier, Identifier.user_id == User.id)
        .where(Identifier.kind == kind, Identifier.value == value, User.status != "deleted")
    )
    found = (await tx.execute(query)).one_or_none()
    return (found.id, found.password_hash, found.status) if found is not None else None


async def password_hash_of(tx: Tx, user_id: str) -> str | None:
    """The stored hash of a user, if they have a password."""
    return (await tx.execute(select(User.password_hash).where(User.id == user_id))).scalar_one_or_none()


async def set_password_hash(tx: Tx, user_id: str, password_hash: str) -> None:
    """Replace the stored hash."""
    await tx.execute(update(User).where(User.id == user_id).values(password_hash=password_hash))


async def confirm_password_hash(tx: Tx, user_id: str, stored: str, fresh: str | None) -> str | None:
    """The user's status if `stored` is still their hash; locks the row and replaces the hash by `fresh`, if given."""
    kept = update(User).where(User.id == user_id, User.password_hash == stored, User.status.in_(SIGN_IN_STATUSES))
    found = await tx.execute(kept.values(password_hash=fresh or stored).returning(User.status))
    return found.scalar_one_or_none()


# Built once, of columns alone: this runs at every call of `me`.
_USERS, _IDENTIFIERS = User.__table__, Identifier.__table__
_PROFILE = PreparedSelect(
    select(_USERS.c.id, _USERS.c.name, _USERS.c.role, _IDENTIFIERS.c.kind, _IDENTIFIERS.c.value)
    .select_from(_USERS.outerjoin(_IDENTIFIERS, _IDENTIFIERS.c.user_id == _USERS.c.id))
    .where(_USERS.c.id == bindparam("user_id"))
    .order_by(_IDENTIFIERS.c.id)
)


async def profile_of(executor: Executor, user_id: str) -> Profile:
    """The profile of an existing user, in one query."""
    rows = await executor.read(_PROFILE, user_id=user_id)
    reached = {row.kind: row.value for row in reversed(rows)}  # the oldest of a kind is the main one
    first = rows[0]
    return Profile(first.id, first.name, first.role, reached.get("email"), reached.get("mobile"))


async def update_profile(tx: Tx, user_id: str, changes: dict[str, Any]) -> None:
    """Update the given fields."""
    await tx.execute(update(User).where(User.id == user_id).values(**changes, updated_at=clock.now()))


async def create_setup_token(tx: Tx) -> str | None:
    """A fresh one-time setup token while there is no administrator; None once there is one.

    The token before it, if any, stops working.
    """
    admins = select(func.count()).select_from(User).where(User.role == "admin")
    if (await tx.execute(admins)).scalar_one():
        return None
    secret = new_secret()
    changed = await tx.execute(
        update(SetupToken)
        .where(SetupToken.id == 1)
        .values(digest=digest_of(secret), used_at=None)
        .returning(SetupToken.id)
    )
    if changed.first() is None:
        await tx.execute(insert(SetupToken), {"id": 1, "digest": digest_of(secret)})
    return secret


async def consume_setup_token(tx: Tx, token: str) -> None:
    """Use up the setup token; raises SetupClosed unless this is the one use of the right one."""
    used = await tx.execute(
        update(SetupToken)
        .where(SetupToken.id == 1, SetupToken.digest == digest_of(token), SetupToken.used_at.is_(None))
        .values(used_at=clock.now())
        .returning(SetupToken.id)
    )
    if used.first() is None:
        raise SetupClosed


def of_active_user(user_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """A condition of a query: the account of that column's user is neither suspended, closed nor deleted."""
    return exists().where(User.id == user_id, User.status == "active")
