"""Status of an account on its way to erasure: closing, open again by a sign-in, or deleted."""

from hortus.accounts.admin import lock_administrators, require_remaining_administrator, set_status
from hortus.accounts.errors import NothingToChange
from hortus.core.db import Tx
from hortus.core.signals import Signal

account_reopened: Signal[str] = Signal("accounts.account_reopened")
"""Sent with the user's id in the transaction that reopens a closing account."""


async def begin_closing(tx: Tx, user_id: str) -> None:
    """Mark an account as closing; `auth.close_account` also ends its sessions and API keys.

    Raises LastAdministrator, and NothingToChange for an account that is not active.
    """
    require_remaining_administrator(await lock_administrators(tx), user_id)
    if not await set_status(tx, user_id, was="active", becomes="closing"):
        raise NothingToChange("The account is not active. Only an active account can be closed.")


async def reopen_account(tx: Tx, user_id: str) -> None:
    """Reopen a closing account. The caller has completed the sign-in of its owner."""
    if await set_status(tx, user_id, was="closing", becomes="active"):
        await account_reopened.send(tx, user_id)


async def begin_erasure(tx: Tx, user_id: str) -> bool:
    """Mark a closing account as deleted, which cannot be undone; False if it is not closing."""
    return await set_status(tx, user_id, was="closing", becomes="deleted")
