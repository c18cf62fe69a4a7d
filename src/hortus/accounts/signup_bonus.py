"""Sign-up bonus: granted once per person, even after deleting the account and signing up again."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from hortus import senders
from hortus.accounts.tables import SignupBonusClaim
from hortus.accounts.targets import Target, person_digests
from hortus.core import clock
from hortus.core.configuration import Configuration
from hortus.core.db import Tx
from hortus.core.settings import Settings
from hortus.core.signals import Signal

signup_bonus_due: Signal[str] = Signal("accounts.signup_bonus_due")
"""Sent with the user's id, in the transaction in which a person claims the bonus for the first time."""


@dataclass(frozen=True, slots=True)
class SignupBonusRule:
    """When a person gets the bonus: once an address or number of theirs is verified.

    An installation that sends no real mail (or text messages) cannot verify addresses (or numbers). There, giving one
    is enough.
    """

    keys: Sequence[bytes]
    """Keys of the digests by which a person is recognised: today's first."""
    real_mail: bool
    real_sms: bool

    def requires_verification(self, target: Target) -> bool:
        """Whether the bonus needs a verified target of this kind."""
        return self.real_mail if target.kind == "email" else self.real_sms


def signup_bonus_rule_of(configuration: Configuration) -> SignupBonusRule:
    """The rule of an installation with these settings."""
    reach = configuration.derived(senders.reach)
    keys = configuration.get(Settings).keys_for("one-time codes")
    return SignupBonusRule(keys, real_mail=reach.mail, real_sms=reach.sms)


async def claim_signup_bonus(tx: Tx, user_id: str, target: Target, *, verified: bool) -> None:
    """Call when a user gets or verifies an identifier. Sends `signup_bonus_due` once per person; repeats do nothing."""
    rule = tx.derived(signup_bonus_rule_of)
    if rule.requires_verification(target) and not verified:
        return
    if await _insert_claim(tx, rule.keys, target):
        await signup_bonus_due.send(tx, user_id)


async def _insert_claim(tx: Tx, keys: Sequence[bytes], target: Target) -> bool:
    """True for the first claim of a person: all spellings of one mailbox are the same person."""
    newest, *older = person_digests(keys, target)
    if older:  # claims stored under an earlier key
        known = select(SignupBonusClaim.digest).where(SignupBonusClaim.digest.in_(older)).limit(1)
        if (await tx.execute(known)).first() is not None:
            return False
    row = {"digest": newest, "claimed_at": clock.now()}
    statement = tx.insert(SignupBonusClaim).values(row).on_conflict_do_nothing().returning(SignupBonusClaim.digest)
    return (await tx.execute(statement)).first() is not None
