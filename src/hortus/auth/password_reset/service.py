"""Replace a password and revoke the access that the old one gave."""

from hortus.accounts import SIGN_IN_STATUSES, AccountSuspended, identifiers, users
from hortus.auth import identifier_verification, otp
from hortus.auth.access import NOTHING_REVOKED, RevokedAccess, revoke_access
from hortus.auth.otp import Target
from hortus.core.db import Tx
from hortus.core.errors import Problem


async def reset(
    tx: Tx, target: Target, user_id: str | None, password_hash: str, refusal: Problem
) -> RevokedAccess | Problem:
    """Set a new password after the target was verified: every session and API key is revoked.

    With `user_id`, only if the target still belongs to that user. The error is returned: the code is consumed.
    """
    owner = await identifiers.find_owner(tx, target)
    if owner is None or (user_id is not None and owner.user_id != user_id):
        return refusal
    if owner.status not in SIGN_IN_STATUSES:
        return AccountSuspended()
    ended = NOTHING_REVOKED
    if not owner.verified:  # another person may have signed up with this address
        voided = await identifier_verification.revoke_unverified_access(tx, owner.user_id)
        if voided is None:
            return refusal
        ended = voided
        await identifiers.mark_verified(tx, owner.user_id, target)
    return await change(tx, owner.user_id, password_hash, keep=None, with_keys=True, before=ended)


async def change(
    tx: Tx,
    user_id: str,
    password_hash: str,
    *,
    keep: str | None,
    with_keys: bool,
    before: RevokedAccess = NOTHING_REVOKED,
) -> RevokedAccess:
    """Set a new password. Every session but `keep` ends, with `with_keys` every API key, and codes and links to reset
    it are invalidated. The user is notified of what was revoked, including `before` in the same transaction.
    """
    await users.set_password_hash(tx, user_id, password_hash)
    await otp.cancel_links(tx, user_id, "reset_password")
    for each in await identifiers.identifiers_of(tx, user_id):
        await otp.cancel_otps(tx, "reset_password", Target(each.kind, each.value))  # type: ignore[arg-type]
    ended = before + await revoke_access(tx, user_id, keep=keep, with_keys=with_keys)
    await otp.notify_user(tx, user_id, "password_changed", keys_ended=ended.keys)
    return ended
