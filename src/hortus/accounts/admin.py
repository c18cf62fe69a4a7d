"""Admin queries and changes on users: search, details, suspension, roles, sign-out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, and_, func, literal_column, select, update

from hortus.accounts.errors import LastAdministrator, NothingToChange, UserNotFound
from hortus.accounts.principals import user_changed
from hortus.accounts.sessions import revoke_others
from hortus.accounts.tables import Identifier, Session, User
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.core.errors import Conflict

Role = Literal["user", "support", "admin"]
# Written literally, so that SQLite uses the partial indexes of these conditions.
_STAFF: ColumnElement[bool] = literal_column("users.role <> 'user'")
_NOT_ACTIVE: ColumnElement[bool] = literal_column("users.status <> 'active'")


@dataclass(frozen=True, slots=True)
class AdminUser:
    """One line of the directory."""

    id: str
    name: str | None
    role: str
    status: str
    email: str | None
    mobile_number: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ContactPoint:
    """How a user is reached."""

    kind: str
    value: str
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class AdminUserDetails:
    """The details of one user, without money."""

    person: AdminUser
    identifiers: list[ContactPoint]
    has_password: bool
    live_sessions: int
    marketing_consent: bool
    updated_at: datetime


# Look ------------------------------------------------------------------------


async def search_users(
    tx: Tx, paging: PageRequest, *, query: str | None = None, role: str | None = None, status: str | None = None
) -> Page[AdminUser]:
    """Users, newest first. `query` is an id, or how an e-mail address or mobile number begins."""
    chosen = select(User)
    if query is not None:
        if ids.is_id(query):
            chosen = chosen.where(User.id == query)
        else:
            chosen = chosen.where(User.id.in_(select(Identifier.user_id).where(_begins_with(tx, query.casefold()))))
    if role is not None:
        chosen = chosen.where(User.role == role) if role == "user" else chosen.where(_STAFF, User.role == role)
    if status is not None:
        known = User.status == status
        chosen = chosen.where(known) if status == "active" else chosen.where(_NOT_ACTIVE, known)
    page = await newest(tx, chosen, paging, User.id)
    reached = await _reached(tx, [row.id for row in page.items])
    return Page(items=[_admin_user(row, reached[row.id]) for row in page.items], next_cursor=page.next_cursor)


def _begins_with(tx: Tx, beginning: str) -> ColumnElement[bool]:
    """A range that the index answers, by bytes on both databases."""
    after = beginning + "\U0010ffff"
    if tx.dialect == "postgresql":
        at_least, below = (
            Identifier.value.op("~>=~", is_comparison=True),
            Identifier.value.op("~<~", is_comparison=True),
        )
        return and_(at_least(beginning), below(after))
    return and_(Identifier.value >= beginning, Identifier.value < after)


async def _reached(tx: Tx, user_ids: list[str]) -> dict[str, list[ContactPoint]]:
    found: dict[str, list[ContactPoint]] = {user_id: [] for user_id in user_ids}
    query = select(Identifier).where(Identifier.user_id.in_(user_ids)).order_by(Identifier.id)
    for row in (await tx.execute(query)).scalars():
        found[row.user_id].append(ContactPoint(row.kind, row.value, row.verified_at))
    return found


def _admin_user(row: User, reached: list[ContactPoint]) -> AdminUser:
    first = {each.kind: each.value for each in reversed(reached)}  # the oldest of a kind is the main one
    return AdminUser(row.id, row.name, row.role, row.status, first.get("email"), first.get("mobile"), row.created_at)


async def get_user(tx: Tx, user_id: str) -> AdminUserDetails:
    """One user; raises UserNotFound."""
    row = (await tx.execute(select(User).where(User.id == user_id))).scalar_one_or_none()
    if row is None:
        raise UserNotFound
    reached = (await _reached(tx, [user_id]))[user_id]
    live = and_(Session.user_id == user_id, Session.revoked_at.is_(None), Session.expires_at > clock.now())
    live_sessions = (await tx.execute(select(func.count()).select_from(Session).where(live))).scalar_one()
    return AdminUserDetails(
        person=_admin_user(row, reached),
        identifiers=reached,
        has_password=row.password_hash is not None,
        live_sessions=live_sessions,
        marketing_consent=row.marketing_consent,
        updated_at=row.updated_at,
    )


async def status_of(tx: Tx, user_id: str) -> str:
    """`active`, `suspended`, `closing` or `deleted`; raises UserNotFound."""
    found = (await tx.execute(select(User.status).where(User.id == user_id))).scalar_one_or_none()
    if found is None:
        raise UserNotFound
    return found


# Change ----------------------------------------------------------------------


async def lock_administrators(tx: Tx) -> set[str]:
    """Lock and return the ids of all active administrators, until the end of the transaction.

    Call it before an administrator is removed, and `require_remaining_administrator` after.
    """
    query = (
        select(User.id)
        .where(_STAFF, User.role == "admin", User.status == "active")
        .order_by(User.id)
        .with_for_update(key_share=True)  # they may sign in meanwhile
    )
    return set((await tx.execute(query)).scalars())


def require_remaining_administrator(administrators: set[str], gone: str) -> None:
    """Raise LastAdministrator if `gone` is the only one of `administrators`."""
    if administrators == {gone}:
        raise LastAdministrator


async def suspend(tx: Tx, user_id: str) -> None:
    """Suspend a user: end every session and refuse the next request.

    API keys are refused during the suspension. Raises UserNotFound, NothingToChange, LastAdministrator.
    """
    require_remaining_administrator(await lock_administrators(tx), user_id)
    await _require_status(tx, user_id, was="active", becomes="suspended")
    await revoke_others(tx, user_id, None)


async def unsuspend(tx: Tx, user_id: str) -> None:
    """End a suspension. Raises UserNotFound, NothingToChange."""
    await _require_status(tx, user_id, was="suspended", becomes="active")


async def set_status(tx: Tx, user_id: str, *, was: str, becomes: str) -> bool:
    """Change the status of a user whose status is `was`; False for any other."""
    changed = (
        update(User)
        .where(User.id == user_id, User.status == was)
        .values(status=becomes, updated_at=clock.now())
        .returning(User.id)
    )
    if (await tx.execute(changed)).first() is None:
        return False
    user_changed(tx, user_id)
    return True


async def _require_status(tx: Tx, user_id: str, *, was: str, becomes: str) -> None:
    if not await set_status(tx, user_id, was=was, becomes=becomes):
        found = await status_of(tx, user_id)
        raise NothingToChange(f"The account is {found} already.", status_now=found)


async def give_role(tx: Tx, user_id: str, role: Role) -> str:
    """Change the role of a user; returns the previous role.

    Raises UserNotFound, NothingToChange, LastAdministrator, and Conflict after a concurrent change.
    """
    administrators = await lock_administrators(tx)
    found = (await tx.execute(select(User.role, User.status).where(User.id == user_id))).one_or_none()
    if found is None:
        raise UserNotFound
    if found.status != "active":
        raise Conflict(f"The account is {found.status}. Only an active account can get another role.")
    if found.role == role:
        raise NothingToChange(f"The role is {role} already.")
    if role != "admin":
        require_remaining_administrator(administrators, user_id)
    changed = (
        update(User)
        .where(User.id == user_id, User.role == found.role, User.status == "active")
        .values(role=role, updated_at=clock.now())
        .returning(User.id)
        .execution_options(synchronize_session=False)
    )
    if (await tx.execute(changed)).first() is None:
        raise Conflict
    user_changed(tx, user_id)
    return str(found.role)


async def sign_out_everywhere(tx: Tx, user_id: str) -> int:
    """End every session of the user; how many those were. Raises UserNotFound."""
    await status_of(tx, user_id)
    user_changed(tx, user_id)
    return len(await revoke_others(tx, user_id, None))
