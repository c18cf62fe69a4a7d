"""Replace a password, and end whatever the old one may have opened."""

from hortus.accounts import SIGN_IN_STATUSES, AccountSuspended, identifiers, users
from hortus.auth import identifier_verification, otp
from hortus.auth.access import NOTHING_REVOKED, RevokedAccess, revoke_access
from hortus.auth.otp import Target
from hortus.core.db import Tx
from hortus.core.errors import Problem


async def reset(
    tx: Tx, target: Target, user_id: str | None, password_hash: str, refusal: Problem
) -> RevokedAccess | Problem:
    """A new password for the one who has just proved that the target is theirs: every session and API key ends.

    With `user_id`, only if the target is still that user's. A refusal is returned: the proof is used up.
    """
    holder = await identifiers.holder_of(tx, target)
    if holder is None or (user_id is not None and holder.user_id != user_id):
        return refusal
    if holder.status not in SIGN_IN_STATUSES:
        return AccountSuspended()
    ended = NOTHING_REVOKED
    if not holder.verified:  # somebody may have signed up with an address that is not theirs
        voided = await identifier_verification.revoke_unverified_access(tx, holder.user_id)
        if voided is None:
            return refusal
        ended = voided
        await identifiers.mark_verified(tx, holder.user_id, target)
    return await change(tx, holder.user_id, password_hash, keep=None, with_keys=True, before=ended)


async def change(
    tx: Tx,
    user_id: str,
    password_hash: str,
    *,
    keep: str | None,
    with_keys: bool,
    before: RevokedAccess = NOTHING_REVOKED,
) -> RevokedAccess:
    """A new password: every session but `keep` ends, with `with_keys` every API key too, every code and link to reset
    it is void, and the user is told what ended, with what ended `before` in the same transaction.
    """
    await users.set_password_hash(tx, user_id, password_hash)
    await otp.cancel_links(tx, user_id, "reset_password")
    for each in await identifiers.identifiers_of(tx, user_id):
        await otp.cancel_otps(tx, "reset_password", Target(each.kind, each.value))  # type: ignore[arg-type]
    ended = before + await revoke_access(tx, user_id, keep=keep, with_keys=with_keys)
    await otp.notify_user(tx, user_id, "password_changed", keys_ended=ended.keys)
    return ended
