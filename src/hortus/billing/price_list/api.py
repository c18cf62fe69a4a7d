"""Route of the price list: `GET /api/payment/plans`."""

from dataclasses import asdict
from typing import Annotated

from hortus import quotas
from hortus.billing.price_list.packs import offered_packs
from hortus.billing.price_list.schemas import AmountOut, GatewayOut, PackOut, PlanOut, PriceList
from hortus.billing.price_list.settings import BillingSettings
from hortus.core.web.deps import (
    ReadTx,
    resource,
)
from hortus.core.web.openapi import make_router, public
from hortus.payments import Gateways

router = make_router("/api", "payment")
GatewaysOf = Annotated[Gateways, resource(Gateways)]


@router.get("/payment/plans", openapi_extra=public("a price list is for everybody"))
async def price_list(tx: ReadTx, gateways: GatewaysOf) -> PriceList:
    """Plans, packs and free amounts for sale, and the gateways."""
    return PriceList(
        plans=[PlanOut.of(plan) for plan in await quotas.offered_plans(tx)],
        packs=[
            PackOut(
                id=pack.id,
                name=pack.terms.name,
                title=pack.terms.title,
                credits=pack.terms.credits,
                prices=pack.terms.prices,
            )
            for pack in await offered_packs(tx)
        ],
        amounts=[AmountOut(**asdict(each)) for each in tx.settings(BillingSettings).amounts()],
        gateways=[GatewayOut.of(gateway) for gateway in gateways.ready()],
    )
