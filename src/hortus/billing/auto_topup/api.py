"""Routes of `/api/payment/auto-topup`."""

from typing import Annotated

from sqlalchemy import select

from hortus.auth import Caller, limited_caller
from hortus.billing.auto_topup import service
from hortus.billing.auto_topup.schemas import AutoTopupIn, AutoTopupOut
from hortus.billing.errors import NothingSaved
from hortus.billing.price_list.quotes import quote_pack
from hortus.billing.tables import Customer, Payment
from hortus.core.db import Tx
from hortus.core.errors import Invalid
from hortus.core.web.deps import ReadTx, WriteTx, resource
from hortus.core.web.openapi import make_router
from hortus.payments import Gateway, Gateways

router = make_router("/api/payment/auto-topup", "payment")
GatewaysOf = Annotated[Gateways, resource(Gateways)]
CHANGES = limited_caller("auto_topup", "20/hour")


@router.get("")
async def read_auto_topup(caller: Caller, tx: ReadTx) -> AutoTopupOut:
    """Your automatic top-up and its state."""
    return AutoTopupOut.of(await service.find(tx, caller.user_id))


@router.put("", dependencies=[CHANGES])
async def set_auto_topup(body: AutoTopupIn, caller: Caller, tx: WriteTx, gateways: GatewaysOf) -> AutoTopupOut:
    """Buy a pack automatically when your balance runs low. Your saved card is charged without confirmation."""
    gateway = await _saved(tx, gateways, caller.user_id, body.currency)
    wanted = await quote_pack(tx, gateway, body.pack, body.currency)
    if body.monthly_cap_minor < wanted.amount_minor:
        problem = {"field": "monthly_cap_minor", "detail": f"one pack costs {wanted.amount_minor}"}
        raise Invalid("The monthly cap does not pay for one pack.", errors=[problem])
    row = await service.set_up(
        tx,
        caller.user_id,
        enabled=body.enabled,
        pack=body.pack,
        gateway=gateway.id,
        currency=wanted.currency,
        below=int(body.below),
        monthly_cap_minor=body.monthly_cap_minor,
    )
    return AutoTopupOut.of(row)


@router.delete("", status_code=204)
async def stop_auto_topup(caller: Caller, tx: WriteTx) -> None:
    """Disable the automatic top-up; idempotent. A charge in progress is not cancelled."""
    await service.disable(tx, caller.user_id)


async def _saved(tx: Tx, gateways: Gateways, user_id: str, currency: str | None) -> Gateway:
    """A gateway with a saved card of the user. Raises NothingSaved."""
    paid = select(Payment.id).where(Payment.user_id == user_id, Payment.gateway == Customer.gateway)
    known = select(Customer.gateway).where(Customer.user_id == user_id, paid.exists())
    saved = set((await tx.execute(known)).scalars())
    for gateway in gateways.ready():
        if (
            gateway.id in saved
            and gateway.capabilities.off_session
            and currency in (None, *gateway.capabilities.currencies)
        ):
            return gateway
    raise NothingSaved
