"""Grants: credit that comes in, expires, or is clawed back."""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, text

from hortus.core import clock, ids
from hortus.core.db import Tx, UtcDateTime
from hortus.core.db.bulk import BulkStatement
from hortus.core.money import MICRO
from hortus.ledger.accounts import Changes, apply, lock, open_account, pay_debts
from hortus.ledger.entries import CLAWED_BACK, EXPIRED, ISSUED, Movement, post
from hortus.ledger.errors import UnknownGrant
from hortus.ledger.low_balance import granted

PRIORITY_PLAN: Final = 10
"""A plan's monthly credit is spent first: it expires at the end of the period."""
PRIORITY_SIGNUP_BONUS: Final = 20
PRIORITY_GIFT: Final = 30
PRIORITY_BOUGHT: Final = 40
"""Purchased credit is spent last."""

SIGNUP_BONUS: Final = 5 * MICRO

_INSERT = BulkStatement(
    "INSERT INTO credit_grants (id, user_id, reference, reason, priority, amount, remaining, held, expired, "
    "clawed_back, is_open, expires_at, created_at) "
    "SELECT d.id, d.user_id, d.reference, d.reason, d.priority, d.amount, d.remaining, 0, 0, 0, d.remaining > 0, "
    "d.expires_at, :now FROM {rows} WHERE true ON CONFLICT (reference) DO NOTHING",
    id="text", user_id="text", reference="text", reason="text", priority="bigint", amount="bigint",
    remaining="bigint", expires_at="timestamptz",
)  # fmt: skip
_OWNER = text("SELECT id, user_id FROM credit_grants WHERE reference = :reference")
_STATE = text("SELECT amount, remaining - held, expired, clawed_back FROM credit_grants WHERE id = :id")
_USED = text("SELECT 1 FROM ledger_entries WHERE reference = :reference AND account = :account")
_END = text(
    "UPDATE credit_grants SET expires_at = :now "
    "WHERE reference = :reference AND (expires_at IS NULL OR expires_at > :now)"
).bindparams(bindparam("now", type_=UtcDateTime()))
_EXPIRED = text(
    "SELECT id, user_id FROM credit_grants WHERE is_open AND expires_at <= :now AND remaining > held "
    "ORDER BY expires_at LIMIT :limit"
).bindparams(bindparam("now", type_=UtcDateTime()))
_REST = BulkStatement(
    "SELECT id, user_id, remaining - held, expired, amount - clawed_back FROM credit_grants "
    "WHERE id IN (SELECT d.id FROM {rows}) AND remaining > held",
    id="text",
)

_KEEP = BulkStatement(
    "UPDATE credit_grants SET expires_at = NULL WHERE id IN (SELECT d.id FROM {rows})", id="text", user_id="text"
)


async def grant(
    tx: Tx,
    user_id: str,
    amount: int,
    *,
    reference: str,
    reason: str,
    priority: int = PRIORITY_BOUGHT,
    expires_at: datetime | None = None,
) -> bool:
    """Grant `amount` micro-credits (above zero); an open debt is paid first.

    False, without any change, when `reference` was granted before.
    """
    if amount <= 0:
        raise ValueError("amount must be > 0")
    now = clock.now()
    await open_account(tx, user_id)
    debt = (await lock(tx, [user_id]))[user_id]
    paid = min(debt, amount)
    row = {
        "id": ids.new(),
        "user_id": user_id,
        "reference": reference,
        "reason": reason,
        "priority": priority,
        "amount": amount,
        "remaining": amount - paid,
        "expires_at": expires_at,
    }
    if (await _INSERT.run(tx, [row], now=now)).rowcount == 0:
        return False
    changes = Changes()
    changes.account(user_id, balance=amount, debt=-paid)
    await apply(tx, changes)
    await post(tx, [Movement(reference, ISSUED, user_id, amount, "grant", reason, str(row["id"]))], now)
    await granted.send(tx, user_id)
    return True


async def grant_signup_bonus(tx: Tx, user_id: str) -> bool:
    """Grant the sign-up bonus, once per user. False when the user has it already."""
    return await grant(
        tx,
        user_id,
        SIGNUP_BONUS,
        reference=f"signup_bonus:{user_id}",
        reason="Welcome",
        priority=PRIORITY_SIGNUP_BONUS,
    )


async def claw_back(tx: Tx, *, grant_reference: str, reference: str, amount: int | None = None) -> int:
    """Reverse a grant whose payment was refunded or disputed: all of it, or `amount` of it.

    Credit that is neither spent nor held is removed at once. The rest becomes a debt, which free credit pays now
    and later grants pay first. Credit that expired unspent is not clawed back. Returns the decrease of the balance:
    0 when `reference` was used before or nothing is left to reverse. Raises UnknownGrant.
    """
    if amount is not None and amount <= 0:
        raise ValueError("amount must be > 0")
    now = clock.now()
    owner = (await tx.execute(_OWNER, {"reference": grant_reference})).one_or_none()
    if owner is None:
        raise UnknownGrant
    grant_id, user_id = owner
    debt = (await lock(tx, [user_id]))[user_id]
    if (await tx.execute(_USED, {"reference": reference, "account": user_id})).first() is not None:
        return 0
    granted, free, expired, reversed_before = (await tx.execute(_STATE, {"id": grant_id})).one()
    reversible = granted - expired - reversed_before
    taken: int = reversible if amount is None else min(amount, reversible)
    if taken == 0:
        return 0
    from_grant = min(free, taken)
    changes = Changes()
    changes.grant(grant_id, remaining=-from_grant, clawed_back=taken)
    changes.account(user_id, balance=-taken, debt=taken - from_grant)
    await apply(tx, changes)
    await post(tx, [Movement(reference, user_id, CLAWED_BACK, taken, "claw_back", grant_id=grant_id)], now)
    await pay_debts(tx, {user_id: debt + taken - from_grant}, now)
    return taken


async def end_grant(tx: Tx, reference: str) -> bool:
    """Expire the rest of a grant now. False when there is no such grant."""
    owner = (await tx.execute(_OWNER, {"reference": reference})).one_or_none()
    if owner is None:
        return False
    await lock(tx, [owner.user_id])
    await tx.execute(_END, {"reference": reference, "now": clock.now()})
    return True


async def expire_grants(tx: Tx, *, limit: int = 500) -> int:
    """Book the expiry of grants past `expires_at`, except credit that is held. Returns the number of grants.

    Handles at most `limit` grants per call and skips accounts that are locked: repeat until it returns 0.
    """
    now = clock.now()
    found = (await tx.execute(_EXPIRED, {"now": now, "limit": limit})).all()
    locked = await lock(tx, {user_id for _, user_id in found}, skip_locked=True)
    wanted = [{"id": grant_id} for grant_id, user_id in found if user_id in locked]
    if not wanted:
        return 0
    changes = Changes()
    movements: list[Movement] = []
    kept: list[dict[str, object]] = []
    for grant_id, user_id, rest, expired, own in await _REST.run(tx, wanted):
        # Credit held while its grant was clawed back is covered by a debt already: it does not expire as well.
        gone = min(rest, own - expired)
        if gone < rest:
            kept.append({"id": grant_id, "user_id": user_id})
        if gone:
            changes.grant(grant_id, remaining=-gone, expired=gone)
            changes.account(user_id, balance=-gone)
            # A grant can expire in steps as its holds are released; the sum so far makes the reference unique.
            reference = f"expiry:{grant_id}:{expired + gone}"
            movements.append(Movement(reference, user_id, EXPIRED, gone, "expiry", grant_id=grant_id))
    await apply(tx, changes)
    await post(tx, movements, now)
    if kept:
        await _KEEP.run(tx, kept)
        await pay_debts(tx, {str(row["user_id"]): locked[str(row["user_id"])] for row in kept}, now)
    return len(wanted)
