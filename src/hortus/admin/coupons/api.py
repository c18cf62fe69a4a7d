"""Routes of `/api/admin/coupons`."""

from typing import Annotated

from hortus.admin.audit import actor_of, record
from hortus.admin.coupons.schemas import CouponIn, CouponOut, NewCouponOut, NewCouponsOut, RedemptionOut
from hortus.admin.deps import RecentAdmin
from hortus.admin.schemas import ReasonIn
from hortus.auth import Admin
from hortus.billing import coupons
from hortus.core.db.paging import Page
from hortus.core.schemas import Id
from hortus.core.settings import Settings
from hortus.core.web.deps import IdempotencyHeader, PageParams, ReadTx, WriteTx, resource
from hortus.core.web.openapi import make_router

router = make_router("/api/admin/coupons", "admin")
SettingsOf = Annotated[Settings, resource(Settings)]
ALREADY_SHOWN = (
    "The codes were shown once. If that answer was lost, end them at POST /api/admin/coupons/{coupon_id}/end "
    "and make new ones."
)


def _show(row: coupons.Coupon) -> CouponOut:
    return CouponOut.model_validate(row, from_attributes=True)


@router.post("", status_code=201, operation_id="admin_make_coupons")
async def make(
    body: CouponIn, caller: RecentAdmin, tx: WriteTx, settings: SettingsOf, once: IdempotencyHeader
) -> NewCouponsOut:
    """Create coupons. Their codes are returned once; a repeated request does not return them again."""
    await once.first_only(tx, caller.user_id, body, ALREADY_SHOWN)
    codes = [body.code] if body.code is not None else [coupons.mint() for _ in range(body.count)]
    named = body.model_dump(exclude={"reason", "code", "count", "credits"})
    terms = coupons.CouponTerms(**named, credits=int(body.credits) if body.credits is not None else None)
    made = await coupons.make(tx, settings, terms, codes)
    items = [NewCouponOut(**_show(row).model_dump(), code=code) for row, code in zip(made, codes, strict=True)]
    worth = {key: str(value) for key, value in named.items() if value is not None and key != "name"}
    details = {**worth, "credits": body.credits, "count": len(made)}
    await record(tx, actor_of(caller), "coupons.made", ("coupon", made[0].id), details, note=body.reason)
    return NewCouponsOut(items=items)


@router.get("", operation_id="admin_list_coupons")
async def list_all(_caller: Admin, tx: ReadTx, paging: PageParams) -> Page[CouponOut]:
    """All coupons, newest first, without their codes."""
    page = await coupons.find_all(tx, paging)
    return Page(items=[_show(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/{coupon_id}", operation_id="admin_read_coupon")
async def read(coupon_id: Id, _caller: Admin, tx: ReadTx) -> CouponOut:
    """One coupon without its code."""
    return _show(await coupons.find(tx, coupon_id))


@router.get("/{coupon_id}/redemptions", operation_id="admin_list_redemptions")
async def redemptions(coupon_id: Id, _caller: Admin, tx: ReadTx, paging: PageParams) -> Page[RedemptionOut]:
    """Redemptions of a coupon, newest first."""
    await coupons.find(tx, coupon_id)
    page = await coupons.redemptions_of(tx, coupon_id, paging)
    shown = [RedemptionOut.model_validate(row, from_attributes=True) for row in page.items]
    return Page(items=shown, next_cursor=page.next_cursor)


@router.post("/{coupon_id}/end", operation_id="admin_end_coupon")
async def end(coupon_id: Id, body: ReasonIn, caller: RecentAdmin, tx: WriteTx) -> CouponOut:
    """End a coupon; repeats do nothing. Checkouts that hold a redemption keep their price."""
    if await coupons.end(tx, coupon_id):
        await record(tx, actor_of(caller), "coupon.ended", ("coupon", coupon_id), note=body.reason)
    return _show(await coupons.find(tx, coupon_id))
