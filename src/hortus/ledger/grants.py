"""Credit that comes in, and credit that goes without being spent."""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, text

from hortus.core import clock, ids
from hortus.core.db import Moment, Tx
from hortus.core.db.bulk import SetStatement
from hortus.core.money import MICRO
from hortus.ledger.accounts import Changes, apply, lock, open_account, pay_debts
from hortus.ledger.entries import CLAWED_BACK, EXPIRED, ISSUED, Movement, post
from hortus.ledger.errors import UnknownGrant
from hortus.ledger.watch import granted

PRIORITY_PLAN: Final = 10
"""A plan's monthly credit burns first: it will be gone at the end of the period anyway."""
PRIORITY_WELCOME: Final = 20
PRIORITY_GIFT: Final = 30
PRIORITY_BOUGHT: Final = 40
"""What was paid for lasts longest."""

WELCOME_AMOUNT: Final = 5 * MICRO

_INSERT = SetStatement(
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
).bindparams(bindparam("now", type_=Moment()))
_EXPIRED = text(
    "SELECT id, user_id FROM credit_grants WHERE is_open AND expires_at <= :now AND remaining > held "
    "ORDER BY expires_at LIMIT :limit"
).bindparams(bindparam("now", type_=Moment()))
_REST = SetStatement(
    "SELECT id, user_id, remaining - held, expired, amount - clawed_back FROM credit_grants "
    "WHERE id IN (SELECT d.id FROM {rows}) AND remaining > held",
    id="text",
)

_KEEP = SetStatement(
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
    """Give `amount` micro-credits (above zero). A debt is paid first.

    True the first time; False, and nothing happens, when `reference` was granted before.
    """
    if amount <= 0:
        raise ValueError("a grant must be more than nothing")
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


async def grant_welcome(tx: Tx, user_id: str) -> bool:
    """The one-time grant of a new user; True the first time."""
    return await grant(
        tx,
        user_id,
        WELCOME_AMOUNT,
        reference=f"welcome:{user_id}",
        reason="Welcome",
        priority=PRIORITY_WELCOME,
    )


async def claw_back(tx: Tx, *, grant_reference: str, reference: str, amount: int | None = None) -> int:
    """Reverse a grant that was refunded or lost in a dispute: all of it, or `amount` of it.

    What is neither spent nor held goes at once; for the rest the balance falls and a debt
    stays, which free credit pays now and later grants pay first. What expired unspent is
    not asked for again. The answer is how much the balance fell; 0 when `reference` was
    used before or nothing is left to reverse. Raises UnknownGrant.
    """
    if amount is not None and amount <= 0:
        raise ValueError("claw back more than nothing")
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
    """Let what is left of a grant expire now instead of later; whether there was such a grant."""
    owner = (await tx.execute(_OWNER, {"reference": reference})).one_or_none()
    if owner is None:
        return False
    await lock(tx, [owner.user_id])
    await tx.execute(_END, {"reference": reference, "now": clock.now()})
    return True


async def expire_grants(tx: Tx, *, limit: int = 500) -> int:
    """Take what is left of grants whose time is over, save what is held; how many grants that were.

    At most `limit` per call, passing over accounts that are busy: run it until it gives 0.
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
        # What was held while all of it was clawed back has been paid for by a debt: it does not expire as well.
        gone = min(rest, own - expired)
        if gone < rest:
            kept.append({"id": grant_id, "user_id": user_id})
        if gone:
            changes.grant(grant_id, remaining=-gone, expired=gone)
            changes.account(user_id, balance=-gone)
            # A grant may expire in steps, as its holds are released; the sum so far tells them apart.
            reference = f"expiry:{grant_id}:{expired + gone}"
            movements.append(Movement(reference, user_id, EXPIRED, gone, "expiry", grant_id=grant_id))
    await apply(tx, changes)
    await post(tx, movements, now)
    if kept:
        await _KEEP.run(tx, kept)
        await pay_debts(tx, {str(row["user_id"]): locked[str(row["user_id"])] for row in kept}, now)
    return len(wanted)
