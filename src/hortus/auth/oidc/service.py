"""Users of OIDC providers: find, link by e-mail, sign up, roles, connect and disconnect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from hortus.accounts import (
    SIGN_IN_STATUSES,
    AccountSuspended,
    Identifier,
    SignUpDetails,
    User,
    create_user,
    identifiers,
)
from hortus.auth import identifier_verification, otp
from hortus.auth.credentials import require_remaining_credential
from hortus.auth.oidc import roles
from hortus.auth.oidc.errors import (
    ExternalAccountNotFound,
    ExternalAccountTaken,
    LinkRequired,
    OidcSignupClosed,
)
from hortus.auth.oidc.flows import ProviderAccount
from hortus.auth.oidc.provider import TokenResponse
from hortus.auth.oidc_settings import OidcProviderSettings
from hortus.auth.otp import Target
from hortus.auth.tables import ExternalAccount
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.core.email_address import normalise
from hortus.core.text import is_line

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Identity:
    """The bounded and normalised claims of a user at a provider."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str | None
    role: str | None
    """The highest role that the role claim maps to; None without a rule or match."""


def identity_of(response: TokenResponse, rules: OidcProviderSettings) -> Identity:
    """Read the claims by the operator's rules."""
    claims = response.claims
    email = _email(claims.get("email"))
    name = claims.get("name")
    tidy = " ".join(name.split())[:100] if isinstance(name, str) else ""
    return Identity(
        issuer=response.issuer,
        subject=response.subject,
        email=email,
        # Some issuers write it as a text.
        email_verified=email is not None
        and (claims.get("email_verified") is True or claims.get("email_verified") == "true"),
        name=tidy if tidy and is_line(tidy) else None,
        role=_role(claims, rules),
    )


def _email(value: object) -> str | None:
    try:
        return normalise(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _role(claims: Mapping[str, Any], rules: OidcProviderSettings) -> str | None:
    if not rules.role_claim:
        return None
    found: Any = claims.get(rules.role_claim)
    if found is None:
        found = claims
        for step in rules.role_claim.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    listed = found if isinstance(found, list) else [found]
    given = [rules.roles[each] for each in listed if isinstance(each, str) and each in rules.roles]
    return max(given, key=roles.RANKS.__getitem__, default=None)


async def user_of(
    tx: Tx, identity: Identity, rules: OidcProviderSettings, *, accepts_terms: bool, network: str | None = None
) -> str:
    """The user who signs in: by connected account, by e-mail address, or a new user.

    Raises AccountSuspended, LinkRequired, OidcSignupClosed, and ConcurrentChange if the transaction must be retried.
    """
    query = (
        select(ExternalAccount.id, ExternalAccount.granted_role, User.id.label("user_id"), User.status, User.role)
        .join(User, User.id == ExternalAccount.user_id)
        .where(ExternalAccount.issuer == identity.issuer, ExternalAccount.subject == identity.subject)
    )
    known = (await tx.execute(query)).one_or_none()
    if known is None:
        details = SignUpDetails(name=identity.name, terms_accepted=accepts_terms, network=network)
        user_id, role = await _by_email(tx, identity, rules) or await _sign_up(tx, identity, rules, details)
        account_id, granted = await _connect(tx, user_id, identity.issuer, identity.subject, identity.email), None
        if account_id is None:
            raise roles.ConcurrentChange
    else:
        if known.status not in SIGN_IN_STATUSES:
            raise AccountSuspended
        account_id, granted, user_id, role = known.id, known.granted_role, known.user_id, known.role
    if rules.role_claim:
        granted = await roles.apply(tx, user_id, identity.issuer, role, granted, identity.role)
    seen = {"last_used_at": clock.now(), "email": identity.email, "granted_role": granted}
    await tx.execute(update(ExternalAccount).where(ExternalAccount.id == account_id).values(**seen))
    return user_id


async def refuse_inactive(tx: Tx, user_id: str) -> None:
    """Raise AccountSuspended unless the user may sign in at this moment."""
    if (await tx.execute(select(User.status).where(User.id == user_id))).scalar_one() not in SIGN_IN_STATUSES:
        raise AccountSuspended


async def _by_email(tx: Tx, identity: Identity, rules: OidcProviderSettings) -> tuple[str, str] | None:
    """(id, role) of the user with this address, if linking by e-mail is enabled.

    An unverified address may have been registered by another person: the address becomes verified, and all access from
    before is revoked.
    """
    if identity.email is None or not identity.email_verified:
        return None  # without verification by the issuer, a match would reveal that an account exists
    query = (
        select(User.id, User.role, User.status, Identifier.id.label("identifier_id"), Identifier.verified_at)
        .join(Identifier, Identifier.user_id == User.id)
        .where(Identifier.kind == "email", Identifier.value == identity.email, User.status != "deleted")
    )
    found = (await tx.execute(query)).one_or_none()
    if found is None:
        return None
    if not rules.link_by_email or (found.verified_at is None and found.role != "user"):
        raise LinkRequired  # an unverified address must not give access to a staff account
    if found.status not in SIGN_IN_STATUSES:
        raise AccountSuspended
    if found.verified_at is None:
        if await identifier_verification.has_verified_owner(tx, found.id):
            # The verified owner of the account has never verified this address.
            await tx.execute(delete(Identifier).where(Identifier.id == found.identifier_id))
            return None
        await identifier_verification.revoke_unverified_access(tx, found.id)
        await identifiers.mark_verified(tx, found.id, Target("email", identity.email))
        await otp.notify_user(tx, found.id, "account_claimed")
    log.info("oidc_linked_by_email", user_id=found.id, issuer=identity.issuer)
    return found.id, found.role


async def _sign_up(tx: Tx, identity: Identity, rules: OidcProviderSettings, details: SignUpDetails) -> tuple[str, str]:
    if not rules.signup:
        raise OidcSignupClosed
    # An address that the issuer has not verified would only block its owner.
    email = identity.email if identity.email_verified else None
    try:
        user_id = await create_user(
            tx,
            Target("email", email) if email is not None else None,
            details,
            verified=True,
        )
    except IntegrityError:
        raise roles.ConcurrentChange from None
    return user_id, "user"


async def _connect(tx: Tx, user_id: str, issuer: str, subject: str, email: str | None) -> str | None:
    now = clock.now()
    row = {
        "id": ids.new(),
        "user_id": user_id,
        "issuer": issuer,
        "subject": subject,
        "email": email,
        "created_at": now,
        "last_used_at": now,
    }
    statement = tx.insert(ExternalAccount).values(row).on_conflict_do_nothing().returning(ExternalAccount.id)
    account_id: str | None = (await tx.execute(statement)).scalar_one_or_none()
    return account_id


async def link(tx: Tx, user_id: str, account: ProviderAccount) -> ExternalAccount:
    """Connect an external account and notify the user. Idempotent. Raises ExternalAccountTaken."""
    if await _connect(tx, user_id, account.issuer, account.subject, account.email) is not None:
        await otp.notify_user(tx, user_id, "identifier_added", identifier=_shown(account.issuer, account.email))
    query = select(ExternalAccount).where(
        ExternalAccount.issuer == account.issuer, ExternalAccount.subject == account.subject
    )
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None or found.user_id != user_id:
        raise ExternalAccountTaken
    return found


async def unlink(tx: Tx, user_id: str, account_id: str) -> None:
    """Disconnect an external account and notify the user. Raises ExternalAccountNotFound, LastCredential."""
    query = delete(ExternalAccount).where(ExternalAccount.id == account_id, ExternalAccount.user_id == user_id)
    gone = (await tx.execute(query.returning(ExternalAccount.issuer, ExternalAccount.email))).first()
    if gone is None:
        raise ExternalAccountNotFound
    await require_remaining_credential(tx, user_id)
    await otp.notify_user(tx, user_id, "identifier_removed", identifier=_shown(gone.issuer, gone.email))


def _shown(issuer: str, email: str | None) -> str:
    """An account of an issuer, for people: `asha@example.com at accounts.example.com`."""
    place = urlsplit(issuer).hostname or issuer
    return f"{email} at {place}" if email else f"your account at {place}"


async def accounts_of(tx: Tx, user_id: str, paging: PageRequest) -> Page[Any]:
    """The accounts that a user may sign in with, newest first."""
    query = select(ExternalAccount).where(ExternalAccount.user_id == user_id)
    return await newest(tx, query, paging, ExternalAccount.id)
