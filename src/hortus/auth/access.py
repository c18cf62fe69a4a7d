"""Revocation of access: the only place that ends sessions and API keys together.

Open event streams end within seconds (`open_streams`), signed links to files are refused for an account that is not
active, and links to archives end with the session that received them.
"""

from dataclasses import dataclass

from hortus.accounts import deletion, sessions
from hortus.auth import api_keys
from hortus.core.db import Tx


@dataclass(frozen=True, slots=True)
class RevokedAccess:
    """How many sessions and API keys were ended."""

    sessions: int = 0
    keys: int = 0

    def __add__(self, other: "RevokedAccess") -> "RevokedAccess":
        return RevokedAccess(self.sessions + other.sessions, self.keys + other.keys)


NOTHING_REVOKED = RevokedAccess()


async def revoke_access(tx: Tx, user_id: str, *, keep: str | None = None, with_keys: bool) -> RevokedAccess:
    """End every session of the user but `keep`, and with `with_keys` every API key; how many those were.

    In force on every process at the next call after the commit.
    """
    ended_sessions = await sessions.revoke_others(tx, user_id, keep)
    ended_keys = await api_keys.revoke_all(tx, user_id) if with_keys else []
    return RevokedAccess(len(ended_sessions), len(ended_keys))


async def close_account(tx: Tx, user_id: str) -> None:
    """Close an account, sign its user out everywhere and end every API key, on every process at once.

    Raises LastAdministrator, and NothingToChange for an account that is not active.
    """
    await deletion.begin_closing(tx, user_id)
    await revoke_access(tx, user_id, with_keys=True)
