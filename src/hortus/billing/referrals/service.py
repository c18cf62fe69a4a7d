"""Referral codes and rewards: granted once after the first payment, clawed back if it is reversed."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, update

from hortus import ledger
from hortus.billing.coupons.codes import ALPHABET
from hortus.billing.price_list.settings import BillingSettings
from hortus.billing.referrals.errors import ReferralNotFound, ReferralNotPossible
from hortus.billing.referrals.tables import Referral, ReferralCode
from hortus.billing.tables import Dispute, Payment
from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.money import MICRO
from hortus.core.text import normalise_code

LENGTH = 10


@dataclass(frozen=True, slots=True)
class ReferralStatus:
    """A customer's code, the number of referred customers, and how many of those have paid."""

    code: str
    brought: int
    rewarded: int


async def referral_status(tx: Tx, user_id: str) -> ReferralStatus:
    """The referral status of a user; the code is created on first use."""
    mine = select(ReferralCode.code).where(ReferralCode.user_id == user_id)
    while (code := (await tx.execute(mine)).scalar_one_or_none()) is None:
        fresh = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        row = tx.insert(ReferralCode).values(user_id=user_id, code=fresh, created_at=clock.now())
        await tx.execute(row.on_conflict_do_nothing())
    counted = select(Referral.status, func.count()).where(Referral.referrer_id == user_id).group_by(Referral.status)
    by_status: dict[str, int] = {row[0]: row[1] for row in (await tx.execute(counted)).all()}
    return ReferralStatus(code, sum(by_status.values()), by_status.get("rewarded", 0))


async def set_referrer(tx: Tx, user_id: str, code: str) -> None:
    """Set the referrer of a user. Raises ReferralNotFound, ReferralNotPossible."""
    plain = "".join(character for character in normalise_code(code).upper() if character.isalnum())
    owner = select(ReferralCode.user_id).where(ReferralCode.code == plain)
    referrer_id = (await tx.execute(owner)).scalar_one_or_none()
    if referrer_id is None:
        raise ReferralNotFound
    paid = select(Payment.id).where(Payment.user_id == user_id).limit(1)
    mutual = select(Referral.user_id).where(Referral.user_id == referrer_id, Referral.referrer_id == user_id)
    if referrer_id == user_id or (await tx.execute(paid)).first() or (await tx.execute(mutual)).first():
        raise ReferralNotPossible
    row = {"user_id": user_id, "referrer_id": referrer_id, "status": "pending", "payment_id": None}
    made = tx.insert(Referral).values(**row, reward=0, welcome=0, created_at=clock.now(), rewarded_at=None)
    if (await tx.execute(made.on_conflict_do_nothing().returning(Referral.user_id))).first() is None:
        raise ReferralNotPossible


async def is_reward_pending(tx: Tx, payment_id: str) -> bool:
    """Whether a payment may be the first one of a referred customer."""
    query = select(Referral.user_id).join(Payment, Payment.user_id == Referral.user_id)
    query = query.where(Payment.id == payment_id, Referral.status == "pending", Payment.amount_minor > 0)
    return (await tx.execute(query.where(Payment.kind != "unmatched"))).first() is not None


async def reward(tx: Tx, payment_id: str) -> bool:
    """Grant both rewards of a first payment, once; return whether this call did. A reversed payment grants none."""
    settings = tx.settings(BillingSettings)
    payment = (await tx.execute(select(Payment).where(Payment.id == payment_id).with_for_update())).scalar_one()
    undone = _is_undone(payment)
    moved = await tx.execute(
        update(Referral)
        .where(Referral.user_id == payment.user_id, Referral.status == "pending")
        .values(
            status="void" if undone else "rewarded",
            payment_id=payment_id,
            reward=0 if undone else settings.referral_reward_credits * MICRO,
            welcome=0 if undone else settings.referral_welcome_credits * MICRO,
            rewarded_at=None if undone else clock.now(),
        )
        .returning(Referral.user_id, Referral.referrer_id, Referral.reward, Referral.welcome)
    )
    row = moved.one_or_none()
    if row is None or undone:
        return False
    shares = [(row.referrer_id, row.reward, "referrer"), (row.user_id, row.welcome, "referred")]
    for user_id, amount, side in sorted(shares):  # in a fixed order, against deadlocks
        if amount:
            reference = _reference(row.user_id, side)
            priority = ledger.PRIORITY_GIFT
            await ledger.grant(tx, user_id, amount, reference=reference, reason="Referral", priority=priority)
    return True


async def claw_back(tx: Tx, payment_id: str) -> bool:
    """Claw both rewards back if at least half of the payment was reversed in time; return whether this call did."""
    payment = (await tx.execute(select(Payment).where(Payment.id == payment_id))).scalar_one()
    if not await _counts(tx, payment):
        return False
    since = clock.now() - timedelta(days=tx.settings(BillingSettings).referral_clawback_days)
    undone = (
        update(Referral)
        .where(Referral.payment_id == payment_id, Referral.status == "rewarded", Referral.rewarded_at > since)
        .values(status="clawed_back")
        .returning(Referral.user_id, Referral.referrer_id, Referral.reward, Referral.welcome)
    )
    row = (await tx.execute(undone)).one_or_none()
    if row is None:
        return False
    shares = [(row.referrer_id, row.reward, "referrer"), (row.user_id, row.welcome, "referred")]
    for _, amount, side in sorted(shares):
        if amount:
            grant = _reference(row.user_id, side)
            await ledger.claw_back(tx, grant_reference=grant, reference=f"{grant}:back")
    return True


async def _counts(tx: Tx, payment: Payment) -> bool:
    lost = select(Dispute.id).where(Dispute.payment_id == payment.id, Dispute.status == "lost").limit(1)
    return _is_undone(payment, refunds_only=True) or (await tx.execute(lost)).first() is not None


def _is_undone(payment: Payment, *, refunds_only: bool = False) -> bool:
    gone = payment.refunded_minor + (0 if refunds_only else payment.disputed_minor)
    return 2 * gone >= payment.amount_minor


def _reference(user_id: str, side: str) -> str:
    return f"referral:{user_id}:{side}"
