"""Routes of `/api/admin/plans` and `/api/admin/packs`."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi.responses import JSONResponse

from hortus import billing, quotas
from hortus.accounts import Principal
from hortus.admin.audit import actor_of, record
from hortus.admin.deps import RecentAdmin
from hortus.admin.price_list.schemas import Name, PackIn, PackVersionOut, PlanIn, PlanVersionOut, SaleOut
from hortus.admin.schemas import ReasonIn
from hortus.auth import Staff
from hortus.core.db import Tx
from hortus.core.errors import Conflict
from hortus.core.web.deps import IdempotencyHeader, ReadTx, WriteTx, no_resource, resource
from hortus.core.web.openapi import make_router
from hortus.payments import Gateways

router = make_router("/api/admin", "admin")
GatewaysOf = Annotated[Gateways, resource(Gateways)]


# Plans -----------------------------------------------------------------------


@router.get("/plans", operation_id="admin_list_plans")
async def list_plans(_caller: Staff, tx: ReadTx) -> list[PlanVersionOut]:
    """All versions of all plans, by name and newest first; at most 500."""
    return [_show_plan(row) for row in await quotas.plan_versions(tx)]


@router.post("/plans", status_code=201, operation_id="admin_publish_plan", response_model=PlanVersionOut)
async def publish_plan(
    body: PlanIn, caller: RecentAdmin, tx: WriteTx, once: IdempotencyHeader, gateways: GatewaysOf
) -> JSONResponse:
    """Publish a new version of a plan, on sale from now on. Subscribers of an older one keep it until renewal.

    A price that a configured gateway cannot charge is rejected (`amount_not_chargeable`).
    """

    async def make() -> PlanVersionOut:
        billing.require_prices(gateways.ready(), body.prices)
        billing.require_prices(gateways.ready(), body.yearly_prices)
        terms = quotas.PlanTerms(
            body.name,
            body.title,
            dict(body.prices),
            int(body.monthly_credits),
            tuple(quotas.WindowTerms(each.kind, each.window, each.limit) for each in body.windows),
            dict(body.yearly_prices),
            tuple(body.features),
            tuple(body.qualities),
            body.trial_days,
        )
        published = await quotas.publish_plan(tx, terms)
        details = {"version": published.version, "prices": body.prices, "yearly_prices": body.yearly_prices}
        await _record(tx, caller, "plan.published", ("plan", body.name), body.reason, details)
        (shown,) = [each for each in await quotas.plan_versions(tx, body.name) if each.plan.id == published.id]
        return _show_plan(shown)

    return await once.answer(tx, caller.user_id, body, make, again=no_resource, status=201)


@router.post("/plans/{plan_name}/end", operation_id="admin_end_plan")
async def end_plan(plan_name: Name, body: ReasonIn, caller: RecentAdmin, tx: WriteTx) -> SaleOut:
    """End the sale of a plan. Subscribers keep it while they pay; the sale of `basic` cannot end."""
    if plan_name == quotas.BASIC:
        raise Conflict("The plan `basic` applies to all users without another plan: publish a new version instead.")
    if not await quotas.end_sale(tx, plan_name):
        raise billing.NotForSale
    await _record(tx, caller, "plan.sale_ended", ("plan", plan_name), body.reason)
    return SaleOut(name=plan_name, on_sale=False)


def _show_plan(row: quotas.PlanVersionRow) -> PlanVersionOut:
    plan = row.plan
    columns = {"id": plan.id, "version": plan.version, "active": row.active, "created_at": row.created_at}
    return PlanVersionOut.model_validate(asdict(plan.terms) | columns)


# Packs -----------------------------------------------------------------------


@router.get("/packs", operation_id="admin_list_packs")
async def list_packs(_caller: Staff, tx: ReadTx) -> list[PackVersionOut]:
    """All versions of all packs, by name and newest first; at most 500."""
    return [PackVersionOut.model_validate(row, from_attributes=True) for row in await billing.pack_versions(tx)]


@router.post("/packs", status_code=201, operation_id="admin_publish_pack", response_model=PackVersionOut)
async def publish_pack(
    body: PackIn, caller: RecentAdmin, tx: WriteTx, once: IdempotencyHeader, gateways: GatewaysOf
) -> JSONResponse:
    """Publish a new version of a pack, on sale from now on.

    A price that a configured gateway cannot charge is rejected (`amount_not_chargeable`).
    """

    async def make() -> PackVersionOut:
        billing.require_prices(gateways.ready(), body.prices)
        terms = billing.PackTerms(body.name, body.title, int(body.credits), dict(body.prices))
        published = await billing.publish_pack(tx, terms)
        details = {"version": published.version, "credits": body.credits, "prices": body.prices}
        await _record(tx, caller, "pack.published", ("pack", body.name), body.reason, details)
        (shown,) = [row for row in await billing.pack_versions(tx, body.name) if row.id == published.id]
        return PackVersionOut.model_validate(shown, from_attributes=True)

    return await once.answer(tx, caller.user_id, body, make, again=no_resource, status=201)


@router.post("/packs/{pack_name}/end", operation_id="admin_end_pack")
async def end_pack(pack_name: Name, body: ReasonIn, caller: RecentAdmin, tx: WriteTx) -> SaleOut:
    """End the sale of a pack; open checkouts can still be paid."""
    await billing.end_pack_sale(tx, pack_name)
    await _record(tx, caller, "pack.sale_ended", ("pack", pack_name), body.reason)
    return SaleOut(name=pack_name, on_sale=False)


async def _record(
    tx: Tx,
    caller: Principal,
    action: str,
    target: tuple[str, str],
    reason: str,
    details: dict[str, Any] | None = None,
) -> None:
    await record(tx, actor_of(caller), action, target, details, note=reason)
