"""Route `POST /api/payment/redeem`."""

from typing import Annotated

from fastapi import Request
from fastapi.responses import JSONResponse

from hortus.auth import Caller
from hortus.billing.coupons import service
from hortus.billing.coupons.attempts import count_attempt
from hortus.billing.coupons.schemas import RedeemedOut, RedeemIn
from hortus.core.settings import Settings
from hortus.core.web.deps import IdempotencyHeader, WriteTx, no_resource, resource
from hortus.core.web.openapi import make_router

router = make_router("/api", "payment")
SettingsOf = Annotated[Settings, resource(Settings)]


@router.post("/payment/redeem", response_model=RedeemedOut)
async def redeem(
    body: RedeemIn, caller: Caller, request: Request, tx: WriteTx, settings: SettingsOf, once: IdempotencyHeader
) -> JSONResponse:
    """Redeem a gift code for credits. For a discount code, the response shows its value at checkout."""

    async def use() -> RedeemedOut:
        coupon = await service.usable(tx, settings, body.code)
        if coupon.kind != "credit":
            return RedeemedOut.promised(coupon)
        until = await service.give_gift(tx, coupon, caller.user_id)
        detail = "The credits were added."
        return RedeemedOut(kind="credit", applied=True, detail=detail, credits=coupon.credits, expires_at=until)

    async with count_attempt(request, caller.user_id, body.code):
        return await once.answer(tx, caller.user_id, body, use, again=no_resource)
