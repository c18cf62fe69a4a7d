"""Status of an account on its way to erasure: closing, open again by a sign-in, or deleted."""

from sqlalchemy import update

from hortus.accounts.admin import lock_administrators, require_remaining_administrator
from hortus.accounts.errors import NothingToChange
from hortus.accounts.principals import user_changed
from hortus.accounts.tables import User
from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.signals import Signal

account_reopened: Signal[str] = Signal("accounts.account_reopened")
"""Sent with the user's id in the transaction that reopens a closing account."""


async def begin_closing(tx: Tx, user_id: str) -> None:
    """Mark an account as closing; `auth.close_account` also ends its sessions and API keys.

    Raises LastAdministrator, and NothingToChange for an account that is not active.
    """
    require_remaining_administrator(await lock_administrators(tx), user_id)
    if not await _set_status(tx, user_id, "active", "closing"):
        raise NothingToChange("The account is not active. Only an active account can be closed.")


async def reopen_account(tx: Tx, user_id: str) -> None:
    """Reopen a closing account. The caller has completed the sign-in of its owner."""
    if await _set_status(tx, user_id, "closing", "active"):
        await account_reopened.send(tx, user_id)


async def begin_erasure(tx: Tx, user_id: str) -> bool:
    """Mark a closing account as deleted, which cannot be undone; False if it is not closing."""
    return await _set_status(tx, user_id, "closing", "deleted")


async def _set_status(tx: Tx, user_id: str, was: str, becomes: str) -> bool:
    moved = (
        update(User)
        .where(User.id == user_id, User.status == was)
        .values(status=becomes, updated_at=clock.now())
        .returning(User.id)
    )
    if (await tx.execute(moved)).first() is None:
        return False
    user_changed(tx, user_id)
    return True
