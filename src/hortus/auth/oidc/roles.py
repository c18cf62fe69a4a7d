"""Roles that a claim of an OIDC provider grants and revokes."""

from dataclasses import dataclass
from typing import cast

import structlog

from hortus.accounts import LastAdministrator, Role, give_role
from hortus.core.db import Tx
from hortus.core.errors import Conflict
from hortus.core.signals import Signal

log = structlog.get_logger()
RANKS = {"user": 0, "support": 1, "admin": 2}


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """An issuer's claim changed a role."""

    user_id: str
    role: str
    issuer: str


role_granted_by_issuer: Signal[RoleGrant] = Signal("auth.oidc.role_granted")
"""Sent in the transaction that changes the role."""


class ConcurrentChange(Exception):
    """A concurrent request created the same account: roll back and retry."""


async def apply(tx: Tx, user_id: str, issuer: str, role: str, granted: str | None, wanted: str | None) -> str | None:
    """Grant the role of the claim, or revoke the role that it granted; other roles stay. Returns the granted role."""
    new: Role
    if wanted is not None and RANKS[wanted] > RANKS.get(role, 0):
        new = cast("Role", wanted)
    elif granted is not None and role == granted and granted != wanted:
        new = cast("Role", wanted or "user")
    else:
        return granted if wanted == granted else None
    try:
        await give_role(tx, user_id, new)
    except LastAdministrator:
        log.warning("oidc_role_kept", user_id=user_id, reason="the last administrator stays one")
        return granted
    except Conflict:
        raise ConcurrentChange from None
    await role_granted_by_issuer.send(tx, RoleGrant(user_id, new, issuer))
    return wanted
