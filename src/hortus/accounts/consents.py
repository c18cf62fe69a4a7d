"""What people agree to, announced to whoever keeps the record."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import update

from hortus.accounts.tables import User
from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.signals import Signal

ConsentKind = Literal["terms", "marketing"]


@dataclass(frozen=True, slots=True)
class SignUpDetails:
    """What people say about themselves when they sign up. `network` is where they said it, coarsely."""

    name: str | None = None
    password_hash: str | None = None
    terms_accepted: bool = False
    marketing_consent: bool = False
    network: str | None = None
    referral: str | None = None


@dataclass(frozen=True, slots=True)
class ConsentChange:
    """One thing that somebody agreed to, or does not agree to any more."""

    user_id: str
    kind: ConsentKind
    given: bool
    source: Literal["sign_up", "change"]
    network: str | None


consent_changed: Signal[ConsentChange] = Signal("accounts.consent_changed")
"""Sent in the transaction in which somebody agrees to something or takes it back."""


async def announce_sign_up_consents(tx: Tx, user_id: str, details: SignUpDetails) -> None:
    """Announce what a new user agreed to. Silence is no consent, and leaves no record."""
    agreed: list[ConsentKind] = ["terms"] if details.terms_accepted else []
    if details.marketing_consent:
        agreed.append("marketing")
    for kind in agreed:
        await consent_changed.send(tx, ConsentChange(user_id, kind, True, "sign_up", details.network))


async def change_consent(tx: Tx, user_id: str, kind: ConsentKind, *, given: bool, network: str | None) -> None:
    """Take down that a user agrees to something now, or to marketing no more. Terms are never taken back: the
    account is deleted instead."""
    now = clock.now()
    changes = {"terms_accepted_at": now} if kind == "terms" else {"marketing_consent": given}
    await tx.execute(update(User).where(User.id == user_id).values(**changes, updated_at=now))
    await consent_changed.send(tx, ConsentChange(user_id, kind, given, "change", network))
