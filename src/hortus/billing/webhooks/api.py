"""Route `POST /api/webhook/{gateway}`, which receives the webhooks of gateways."""

from fastapi import Request

from hortus.billing.price_list.schemas import GatewayId
from hortus.billing.webhooks import inbox
from hortus.billing.webhooks.schemas import Received
from hortus.core.db import Database
from hortus.core.errors import PayloadTooLarge
from hortus.core.web.deps import AllResources
from hortus.core.web.openapi import make_router, public
from hortus.payments import Gateways

MAX_BYTES = 512 * 1024
"""Maximum bytes of a webhook; gateways send about a hundredth."""
router = make_router("/api", "webhooks")
SIGNED = public("the gateway signs what it sends; without a secret the route does not exist")


@router.post("/webhook/{gateway_id}", openapi_extra=SIGNED)
@router.post("/payment/webhook/{gateway_id}", openapi_extra=SIGNED, include_in_schema=False)
async def receive(gateway_id: GatewayId, request: Request, resources: AllResources) -> Received:
    """Verify and store a webhook; it is processed by a task."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise PayloadTooLarge(max_bytes=MAX_BYTES)
    incoming = inbox.parse(resources[Gateways], gateway_id, request.headers, body)
    async with resources[Database].transaction() as tx:
        await inbox.receive(tx, gateway_id, incoming, body)
    return Received()
