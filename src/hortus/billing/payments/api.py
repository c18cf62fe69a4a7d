"""Routes of `/api/payment` for past payments and the gateway's customer portal."""

from typing import Annotated

from fastapi import Body

from hortus.auth import Caller, limited_caller
from hortus.billing.payments.portal import portal
from hortus.billing.payments.queries import payments_of
from hortus.billing.payments.schemas import OpenPortal, PaymentOut, PortalOut
from hortus.core.db.paging import Page
from hortus.core.web.deps import (
    AllResources,
    PageParams,
    ReadTx,
)
from hortus.core.web.openapi import make_router

router = make_router("/api", "payment")
CHANGES = limited_caller("subscription", "20/hour")


@router.post("/payment/portal", dependencies=[CHANGES])
async def open_portal(
    caller: Caller, resources: AllResources, body: Annotated[OpenPortal | None, Body()] = None
) -> PortalOut:
    """The URL of the gateway's customer portal, where you manage cards and invoices."""
    return PortalOut(url=await portal(resources, caller.user_id, (body or OpenPortal()).return_path))


@router.get("/payment/history")
async def payment_history(caller: Caller, tx: ReadTx, paging: PageParams) -> Page[PaymentOut]:
    """Your payments, newest first."""
    page = await payments_of(tx, caller.user_id, paging)
    return Page(items=[PaymentOut.of(row) for row in page.items], next_cursor=page.next_cursor)
