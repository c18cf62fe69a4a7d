"""The gateway's customer portal."""

from sqlalchemy import select

from hortus.billing.errors import NoPortal, problem_of
from hortus.billing.links import shop_url
from hortus.billing.tables import Customer
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.payments import GatewayError, GatewayRefused, Gateways


async def portal(resources: Resources, user_id: str, return_path: str) -> str:
    """The URL of the customer portal. Raises NoPortal, GatewayFailed."""
    async with resources[Database].snapshot() as tx:
        query = select(Customer).where(Customer.user_id == user_id)
        known = {row.gateway: row.external_id for row in (await tx.execute(query)).scalars()}
    for gateway in resources[Gateways].ready():
        if gateway.capabilities.portal and gateway.id in known:
            try:
                return await gateway.portal(known[gateway.id], shop_url(resources[Settings], return_path))
            except GatewayRefused:
                continue
            except GatewayError as error:
                raise problem_of(error) from error
    raise NoPortal
