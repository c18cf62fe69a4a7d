"""Routes over codes for customers: `/api/admin/coupons`."""

from typing import Annotated

from fastapi.responses import JSONResponse

from hortus.accounts import Admin
from hortus.admin.audit import actor_of, record
from hortus.admin.callers import RecentAdmin
from hortus.admin.coupons.schemas import CouponIn, CouponOut, NewCouponOut, NewCouponsOut, RedemptionOut
from hortus.admin.schemas import ReasonIn
from hortus.billing import coupons
from hortus.core import idempotency
from hortus.core.paging import Page
from hortus.core.schemas import Id
from hortus.core.settings import Settings
from hortus.core.web import OnceOnly, PageOf, ReadTx, WriteTx, answered, make_router, resource

router = make_router("/api/admin/coupons", "admin")
SettingsOf = Annotated[Settings, resource(Settings)]


def _show(row: coupons.Coupon) -> CouponOut:
    return CouponOut.model_validate(row, from_attributes=True)


@router.post("", status_code=201, operation_id="admin_make_coupons", response_model=NewCouponsOut)
async def make(body: CouponIn, caller: RecentAdmin, tx: WriteTx, settings: SettingsOf, once: OnceOnly) -> JSONResponse:
    """Make codes. They are shown in this answer and nowhere else; a repeat with its key shows them again."""
    claim = once.claim(caller.user_id, body)
    kept = await idempotency.claim(tx, claim) if claim is not None else None
    if kept is not None:
        seed = kept.body.pop("seed")
        for number, item in enumerate(kept.body["items"]):
            item["code"] = body.code or coupons.mint(settings, seed, number)
        return answered(kept)
    seed = coupons.seed()
    codes = [body.code] if body.code is not None else [coupons.mint(settings, seed, n) for n in range(body.count)]
    named = body.model_dump(exclude={"reason", "code", "count", "credits"})
    terms = coupons.CouponTerms(**named, credits=int(body.credits) if body.credits is not None else None)
    made = await coupons.make(tx, settings, terms, codes)
    items = [NewCouponOut(**_show(row).model_dump(), code=code) for row, code in zip(made, codes, strict=True)]
    shown = NewCouponsOut(items=items).model_dump(mode="json")
    if claim is not None:
        hidden = [{**item, "code": None} for item in shown["items"]]
        await idempotency.keep(tx, claim, 201, {"items": hidden, "seed": seed})
    worth = {key: str(value) for key, value in named.items() if value is not None and key != "name"}
    details = {**worth, "credits": body.credits, "count": len(made)}
    await record(tx, actor_of(caller), "coupons.made", ("coupon", made[0].id), details, note=body.reason)
    return JSONResponse(shown, 201)


@router.get("", operation_id="admin_list_coupons")
async def list_all(_caller: Admin, tx: ReadTx, paging: PageOf) -> Page[CouponOut]:
    """All codes, newest first, without their text."""
    page = await coupons.find_all(tx, paging)
    return Page(items=[_show(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/{coupon_id}", operation_id="admin_read_coupon")
async def read(coupon_id: Id, _caller: Admin, tx: ReadTx) -> CouponOut:
    """One code without its text."""
    return _show(await coupons.find(tx, coupon_id))


@router.get("/{coupon_id}/redemptions", operation_id="admin_list_redemptions")
async def redemptions(coupon_id: Id, _caller: Admin, tx: ReadTx, paging: PageOf) -> Page[RedemptionOut]:
    """Who used a code, newest first."""
    await coupons.find(tx, coupon_id)
    page = await coupons.redemptions_of(tx, coupon_id, paging)
    shown = [RedemptionOut.model_validate(row, from_attributes=True) for row in page.items]
    return Page(items=shown, next_cursor=page.next_cursor)


@router.post("/{coupon_id}/end", operation_id="admin_end_coupon")
async def end(coupon_id: Id, body: ReasonIn, caller: RecentAdmin, tx: WriteTx) -> CouponOut:
    """Let nobody use a code any more; again is fine. Orders that hold a use keep their price."""
    if await coupons.end(tx, coupon_id):
        await record(tx, actor_of(caller), "coupon.ended", ("coupon", coupon_id), note=body.reason)
    return _show(await coupons.find(tx, coupon_id))
