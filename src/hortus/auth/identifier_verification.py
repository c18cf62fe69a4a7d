"""Verification of identifiers: sign-in and sign-up by OTP, and adding, verifying and removing identifiers."""

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError

from hortus.accounts import (
    SIGN_IN_STATUSES,
    AccountSuspended,
    Device,
    Identifier,
    IdentifierOwner,
    SignUpDetails,
    User,
    claim_signup_bonus,
    delete_unverified,
    find_owner,
    mark_verified,
    users,
)
from hortus.auth import mfa, otp
from hortus.auth.access import RevokedAccess, revoke_access
from hortus.auth.credentials import require_remaining_credential
from hortus.auth.errors import IdentifierNotFound, IdentifierTaken, SignInToVerify
from hortus.auth.otp import BadCode, Target, VerifiedOtp
from hortus.auth.tables import ExternalAccount, OidcFlow, Passkey
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.errors import Problem


async def find_or_create_user(
    tx: Tx, verified: VerifiedOtp, details: SignUpDetails, caller_id: str | None
) -> str | Problem:
    """The user who signs in with a verified OTP, created if there is none; or the error.

    The error is returned, not raised: the code is consumed, and that must be committed. `caller_id` is the user who is
    signed in already, if any.
    """
    owner = await find_owner(tx, verified.target)
    if verified.purpose in ("sign_in", "sign_up"):
        if owner is not None and _is_foreign(owner, caller_id) and await has_verified_owner(tx, owner.user_id):
            # The verified owner of the account has never verified this identifier.
            await delete_unverified(tx, verified.target)
            owner = None
        if owner is None:
            try:
                async with tx.begin_nested():
                    return await users.create_user(tx, verified.target, details, verified=True)
            except IntegrityError:  # a concurrent request created the identifier
                owner = await find_owner(tx, verified.target)
    return await _sign_in_existing(tx, verified, details, owner, caller_id)


async def _sign_in_existing(
    tx: Tx, verified: VerifiedOtp, details: SignUpDetails, owner: IdentifierOwner | None, caller_id: str | None
) -> str | Problem:
    if owner is None:
        return BadCode()
    if owner.status not in SIGN_IN_STATUSES:
        return AccountSuspended()
    if _is_foreign(owner, caller_id):
        if not await _claim(tx, owner.user_id, verified.target):
            return BadCode()
        if verified.purpose == "sign_up" and details.password_hash is not None:  # it came with this very code
            await users.set_password_hash(tx, owner.user_id, details.password_hash)
    elif not owner.verified:
        await mark_verified(tx, owner.user_id, verified.target)
    return owner.user_id


def _is_foreign(owner: IdentifierOwner, caller_id: str | None) -> bool:
    """Whether the identifier is unverified and belongs to another user than the caller."""
    return not owner.verified and owner.user_id != caller_id


async def _claim(tx: Tx, user_id: str, target: Target) -> bool:
    """Give an account without a verified owner to the caller who has verified its identifier, and notify them.

    Returns False, without a change, if `revoke_unverified_access` refuses.
    """
    if await revoke_unverified_access(tx, user_id) is None:
        return False
    await mark_verified(tx, user_id, target)
    await otp.notify_user(tx, user_id, "account_claimed")
    return True


async def verify(tx: Tx, user_id: str, target: Target, caller_id: str | None, refusal: Problem) -> str | None:
    """Mark the target of a link or code as verified.

    Raises `refusal` if the user does not have the target, AccountSuspended, and SignInToVerify. A caller who is signed
    in as the user keeps everything. Otherwise another person may have signed up with this address: all access from
    before the first verification is revoked, and the result is a token to choose a new password, if there was one.
    """
    owner = await find_owner(tx, target)
    if owner is None or owner.user_id != user_id:
        raise refusal
    if owner.status not in SIGN_IN_STATUSES:
        raise AccountSuspended
    if owner.verified:
        return None
    if caller_id == user_id:
        await mark_verified(tx, user_id, target)
        return None
    had_password = await users.password_hash_of(tx, user_id) is not None
    if not await _claim(tx, user_id, target):
        raise SignInToVerify
    return await otp.make_token(tx, "reset_password", user_id, target) if had_password else None


async def has_verified_owner(tx: Tx, user_id: str) -> bool:
    """Whether any credential of the account was verified to belong to its user."""
    verified = select(Identifier.id).where(Identifier.user_id == user_id, Identifier.verified_at.is_not(None))
    linked = select(ExternalAccount.user_id).where(ExternalAccount.user_id == user_id)
    return bool((await tx.execute(select(or_(verified.exists(), linked.exists())))).scalar_one())


async def revoke_unverified_access(tx: Tx, user_id: str) -> RevokedAccess | None:
    """Revoke everything that was set up on an account before its first verification.

    The person who signed up with this address need not own it: password, sessions, keys, passkeys and second factors
    are removed. Returns what was revoked; None, without a change, for staff and for an account with a verified owner.
    """
    role = (await tx.execute(select(User.role).where(User.id == user_id))).scalar_one()
    # An unverified address must not give access to a staff account.
    if role != "user" or await has_verified_owner(tx, user_id):
        return None
    await tx.execute(update(User).where(User.id == user_id).values(password_hash=None, updated_at=clock.now()))
    await tx.execute(delete(Device).where(Device.user_id == user_id))
    await tx.execute(delete(Passkey).where(Passkey.user_id == user_id))
    await tx.execute(delete(ExternalAccount).where(ExternalAccount.user_id == user_id))
    await tx.execute(delete(OidcFlow).where(or_(OidcFlow.user_id == user_id, OidcFlow.link_user_id == user_id)))
    await mfa.remove_factors(tx, user_id)
    return await revoke_access(tx, user_id, with_keys=True)


async def add(tx: Tx, user_id: str, target: Target) -> Identifier | Problem:
    """Add a verified identifier to a user; or the error, which must be committed.

    An unverified identifier of another user is taken over.
    """
    if not await mark_verified(tx, user_id, target):
        now = clock.now()
        row = {"id": ids.new(), "user_id": user_id, "kind": target.kind, "value": target.value}
        statement = (
            tx.insert(Identifier)
            .values(**row, created_at=now, verified_at=now)
            .on_conflict_do_update(
                index_elements=["kind", "value"],
                set_={"id": row["id"], "user_id": user_id, "created_at": now, "verified_at": now},
                where=Identifier.verified_at.is_(None),
            )
            .returning(Identifier.id)
        )
        if (await tx.execute(statement)).first() is None:
            return IdentifierTaken()
        await claim_signup_bonus(tx, user_id, target, verified=True)
        await otp.notify_user(tx, user_id, "identifier_added", but=target, identifier=target.value)
    found = select(Identifier).where(Identifier.kind == target.kind, Identifier.value == target.value)
    return (await tx.execute(found)).scalar_one()


async def remove(tx: Tx, user_id: str, identifier_id: str) -> None:
    """Take an identifier away from a user. Raises IdentifierNotFound, LastCredential."""
    gone = (
        await tx.execute(
            delete(Identifier)
            .where(Identifier.id == identifier_id, Identifier.user_id == user_id)
            .returning(Identifier.kind, Identifier.value, Identifier.verified_at)
        )
    ).one_or_none()
    if gone is None:
        raise IdentifierNotFound
    await require_remaining_credential(tx, user_id)
    target = Target(gone.kind, gone.value)
    for purpose in ("verify", "reset_password"):
        await otp.cancel_links(tx, user_id, purpose, target)
    if gone.verified_at is not None:
        await otp.notify_target(tx, target, "identifier_removed", user_id=user_id, identifier=target.value)
