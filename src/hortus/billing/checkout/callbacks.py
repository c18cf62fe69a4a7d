"""`POST /api/payment/{gateway}/verify`: a browser comes back from a gateway's form and says that it has paid.

What it says is believed as little as a webhook: the signature only tells which checkout to look at, and the
gateway says what is true of it. So amount, currency and owner are the gateway's and ours, never the browser's.
"""

from typing import Annotated

import structlog
from fastapi import Body
from pydantic import StringConstraints
from sqlalchemy import select

from hortus.auth import Caller, limited_caller
from hortus.billing.errors import BadSignature, CheckoutNotFound, GatewayUnknown, problem_of
from hortus.billing.schemas import CheckoutOut, GatewayId
from hortus.billing.sync import sync_from_gateway
from hortus.billing.tables import Checkout
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources
from hortus.core.web.deps import AllResources
from hortus.core.web.openapi import make_router
from hortus.payments import Callback, Gateway, GatewayError, GatewayNotConfigured, Gateways, InvalidSignature, ObjectRef

log = structlog.get_logger()
router = make_router("/api", "payment")
VERIFIES = limited_caller("payment_verify", "60/hour")
Name = Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z0-9_]{1,60}$")]
Value = Annotated[str, StringConstraints(max_length=400, pattern=r"^[^\x00]*$")]
Fields = Annotated[dict[Name, Value], Body(max_length=20)]


@router.post("/payment/{gateway_id}/verify", dependencies=[VERIFIES])
async def verify(gateway_id: GatewayId, fields: Fields, caller: Caller, resources: AllResources) -> CheckoutOut:
    """Send what the gateway's form gave your page when it was paid; the answer is your checkout as it stands now.

    Posting it again, or not at all, changes nothing: the gateway's own news brings the same.
    """
    gateway, ref = _signed(resources, gateway_id, fields)
    database = resources.get(Database)
    async with database.snapshot() as tx:
        waiting = await _mine(tx, gateway, ref, caller.user_id)
    if waiting.status != "paid":
        await _look(resources, gateway, ref, caller.user_id)
    async with database.snapshot() as tx:
        return CheckoutOut.of(await _mine(tx, gateway, ref, caller.user_id))


def _signed(resources: Resources, gateway_id: str, fields: dict[str, str]) -> tuple[Gateway, ObjectRef]:
    gateway = resources.get(Gateways).get(gateway_id)
    if gateway is None or not isinstance(gateway, Callback):
        raise GatewayUnknown
    try:
        return gateway, gateway.verify(fields)
    except GatewayNotConfigured:
        raise GatewayUnknown from None
    except InvalidSignature as invalid:
        log.warning("callback_refused", gateway=gateway_id, reason=str(invalid))
        raise BadSignature from None


async def _mine(tx: Tx, gateway: Gateway, ref: ObjectRef, user_id: str) -> Checkout:
    query = select(Checkout).where(
        Checkout.gateway == gateway.id, Checkout.external_id == ref.external_id, Checkout.user_id == user_id
    )
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise CheckoutNotFound
    return found


async def _look(resources: Resources, gateway: Gateway, ref: ObjectRef, user_id: str) -> None:
    async def waits(tx: Tx) -> bool:
        # A webhook, or another tab, may have brought it while the gateway was asked.
        return (await _mine(tx, gateway, ref, user_id)).status != "paid"

    try:
        await sync_from_gateway(resources, gateway, ref, waits)
    except GatewayError as error:
        log.warning("callback_failed", gateway=gateway.id, reason=f"{type(error).__name__}: {error}")
        raise problem_of(error) from error
