"""Create coupons, reserve a use per order, redeem it with the payment, release it otherwise.

Uses are counted by conditional updates: of N concurrent customers, exactly the limit succeeds.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import or_, select, update

from hortus import ledger
from hortus.billing.coupons.codes import digests_of, hint_of
from hortus.billing.coupons.errors import CouponCodeTaken, CouponNotApplicable, CouponNotFound, CouponUsed
from hortus.billing.coupons.tables import Coupon, CouponHolder, Redemption
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.core.settings import Settings

Kind = Literal["percent", "amount", "credit"]


@dataclass(frozen=True, slots=True)
class CouponTerms:
    """Terms of a coupon; None means no limit. For the units see `tables.Coupon`."""

    kind: Kind
    name: str
    percent: int | None = None
    amount_minor: int | None = None
    currency: str | None = None
    credits: int | None = None
    credit_days: int | None = None
    plan: str | None = None
    pack: str | None = None
    limit_total: int | None = 1
    limit_per_user: int | None = 1
    starts_at: datetime | None = None
    ends_at: datetime | None = None


# The operator's side ---------------------------------------------------------


async def make(tx: Tx, settings: Settings, terms: CouponTerms, codes: Sequence[str]) -> list[Coupon]:
    """Create one coupon per code. Raises CouponCodeTaken; the caller must then roll back."""
    made = []
    for code in codes:
        digests = digests_of(settings, code)
        row = {"id": ids.new(), "digest": digests[0], "hint": hint_of(code), "taken": 0, "active": True}
        known = select(Coupon.id).where(Coupon.digest.in_(digests[1:]))  # under an earlier key
        if len(digests) > 1 and (await tx.execute(known)).first() is not None:
            raise CouponCodeTaken
        statement = tx.insert(Coupon).values(**row, **asdict(terms), created_at=clock.now()).on_conflict_do_nothing()
        if (await tx.execute(statement.returning(Coupon.id))).first() is None:
            raise CouponCodeTaken
        made.append(await find(tx, str(row["id"])))
    return made


async def find(tx: Tx, coupon_id: str) -> Coupon:
    """One coupon. Raises CouponNotFound."""
    query = select(Coupon).where(Coupon.id == coupon_id).execution_options(populate_existing=True)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise CouponNotFound("There is no such coupon.")
    return found


async def find_all(tx: Tx, paging: PageRequest) -> Page[Any]:
    """All coupons, newest first."""
    return await newest(tx, select(Coupon), paging, Coupon.id)


async def redemptions_of(tx: Tx, coupon_id: str, paging: PageRequest) -> Page[Any]:
    """The uses of a coupon, newest first."""
    return await newest(tx, select(Redemption).where(Redemption.coupon_id == coupon_id), paging, Redemption.id)


async def end(tx: Tx, coupon_id: str) -> bool:
    """Deactivate a coupon; return whether it was active. Uses reserved by open orders stay valid."""
    ended = update(Coupon).where(Coupon.id == coupon_id, Coupon.active).values(active=False).returning(Coupon.id)
    return (await tx.execute(ended)).first() is not None


# The customer's side ---------------------------------------------------------


async def find_usable(tx: Tx, settings: Settings, code: str | None) -> Coupon | None:
    """The usable coupon of an optional code. Raises CouponNotFound."""
    return await usable(tx, settings, code) if code is not None else None


async def usable(tx: Tx, settings: Settings, code: str) -> Coupon:
    """The coupon of a code, if it is usable now. Raises CouponNotFound. Only `_consume` enforces the limits."""
    query = select(Coupon).where(Coupon.digest.in_(digests_of(settings, code)), *_usable())
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise CouponNotFound
    return found


def _usable() -> tuple[Any, ...]:
    now = clock.now()
    return (
        Coupon.active,
        or_(Coupon.starts_at.is_(None), Coupon.starts_at <= now),
        or_(Coupon.ends_at.is_(None), Coupon.ends_at > now),
    )


def discount_of(
    coupon: Coupon, amount_minor: int, currency: str, *, plan: str | None = None, pack: str | None = None
) -> int:
    """The discount of a coupon on an amount, at most all of it. Raises CouponNotApplicable."""
    if coupon.plan is not None or coupon.pack is not None:
        allowed = (plan is not None and plan == coupon.plan) or (pack is not None and pack == coupon.pack)
        if not allowed:
            raise CouponNotApplicable
    if coupon.kind == "amount" and coupon.currency != currency:
        raise CouponNotApplicable
    off = amount_minor * (coupon.percent or 0) // 100 if coupon.kind == "percent" else coupon.amount_minor or 0
    if not off:
        raise CouponNotApplicable
    return min(amount_minor, off)


async def reserve(tx: Tx, coupon: Coupon, user_id: str, checkout_id: str) -> None:
    """Reserve one use for an order. Raises CouponNotFound, CouponUsed; the caller must then roll back."""
    await _consume(tx, coupon, user_id)
    await _insert_redemption(tx, coupon, user_id, checkout_id, "reserved")


async def give_gift(tx: Tx, coupon: Coupon, user_id: str) -> datetime | None:
    """Grant the credits of a gift code; return when they expire. Raises CouponNotFound, CouponUsed."""
    await _consume(tx, coupon, user_id)
    redemption_id = await _insert_redemption(tx, coupon, user_id, None, "used")
    until = clock.now() + timedelta(days=coupon.credit_days) if coupon.credit_days is not None else None
    await ledger.grant(
        tx,
        user_id,
        coupon.credits or 0,
        reference=f"coupon:{redemption_id}",
        reason=coupon.name,
        priority=ledger.PRIORITY_GIFT,
        expires_at=until,
    )
    return until


async def settle(tx: Tx, checkout_id: str, *, paid: bool) -> None:
    """Redeem the use reserved by an order that was paid, or release it; each has its effect once.

    A checkout that is paid after it expired still redeems its coupon, because its price was promised.
    """
    before = ("reserved", "returned") if paid else ("reserved",)
    query = select(Redemption).where(Redemption.checkout_id == checkout_id, Redemption.status.in_(before))
    found = (await tx.execute(query.with_for_update())).scalar_one_or_none()
    if found is None:
        return
    was_returned = found.status == "returned"
    closed = update(Redemption).where(Redemption.id == found.id, Redemption.status == found.status)
    closed = closed.values(status="used" if paid else "returned", closed_at=clock.now())
    if (await tx.execute(closed.returning(Redemption.id))).first() is None or paid != was_returned:
        return  # counted already
    step = 1 if paid else -1
    await tx.execute(update(Coupon).where(Coupon.id == found.coupon_id).values(taken=Coupon.taken + step))
    mine = (CouponHolder.coupon_id == found.coupon_id, CouponHolder.user_id == found.user_id)
    await tx.execute(update(CouponHolder).where(*mine).values(taken=CouponHolder.taken + step))


async def _consume(tx: Tx, coupon: Coupon, user_id: str) -> None:
    left = or_(Coupon.limit_total.is_(None), Coupon.taken < Coupon.limit_total)
    taken = update(Coupon).where(Coupon.id == coupon.id, left, *_usable()).values(taken=Coupon.taken + 1)
    if (await tx.execute(taken.returning(Coupon.id))).first() is None:
        holds = select(CouponHolder.taken).where(CouponHolder.coupon_id == coupon.id, CouponHolder.user_id == user_id)
        if (await tx.execute(holds)).scalar_one_or_none():
            raise CouponUsed
        raise CouponNotFound
    below = None if coupon.limit_per_user is None else CouponHolder.taken < coupon.limit_per_user
    held = (
        tx.insert(CouponHolder)
        .values(coupon_id=coupon.id, user_id=user_id, taken=1)
        .on_conflict_do_update(
            index_elements=["coupon_id", "user_id"], set_={"taken": CouponHolder.taken + 1}, where=below
        )
        .returning(CouponHolder.taken)
    )
    if (await tx.execute(held)).first() is None:
        raise CouponUsed


async def _insert_redemption(tx: Tx, coupon: Coupon, user_id: str, checkout_id: str | None, status: str) -> str:
    now = clock.now()
    row = {"id": ids.new(), "coupon_id": coupon.id, "user_id": user_id, "checkout_id": checkout_id}
    closed_at = now if status == "used" else None
    await tx.execute(tx.insert(Redemption).values(**row, status=status, created_at=now, closed_at=closed_at))
    return str(row["id"])
