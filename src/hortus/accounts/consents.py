"""Consents of users: terms and marketing. Each change is sent as a signal."""

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
    """The data of a sign-up. `network` is the anonymised network of the client."""

    name: str | None = None
    password_hash: str | None = None
    terms_accepted: bool = False
    marketing_consent: bool = False
    network: str | None = None
    referral: str | None = None


@dataclass(frozen=True, slots=True)
class ConsentChange:
    """A consent that was given or withdrawn."""

    user_id: str
    kind: ConsentKind
    given: bool
    source: Literal["sign_up", "change"]
    network: str | None


consent_changed: Signal[ConsentChange] = Signal("accounts.consent_changed")
"""Sent in the transaction that changes a consent."""


async def announce_sign_up_consents(tx: Tx, user_id: str, details: SignUpDetails) -> None:
    """Announce what a new user agreed to. Silence is no consent, and leaves no record."""
    agreed: list[ConsentKind] = ["terms"] if details.terms_accepted else []
    if details.marketing_consent:
        agreed.append("marketing")
    for kind in agreed:
        await consent_changed.send(tx, ConsentChange(user_id, kind, True, "sign_up", details.network))


async def change_consent(tx: Tx, user_id: str, kind: ConsentKind, *, given: bool, network: str | None) -> None:
    """Change a consent of a user. The consent to the terms cannot be withdrawn: the account is deleted instead."""
    now = clock.now()
    changes = {"terms_accepted_at": now} if kind == "terms" else {"marketing_consent": given}
    await tx.execute(update(User).where(User.id == user_id).values(**changes, updated_at=now))
    await consent_changed.send(tx, ConsentChange(user_id, kind, given, "change", network))
