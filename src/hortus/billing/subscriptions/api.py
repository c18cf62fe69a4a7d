"""Routes of `/api/payment/subscription`: subscribe, read, change, cancel, resume."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Body, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from hortus import quotas
from hortus.accounts import Principal
from hortus.auth import Caller, limited_caller
from hortus.billing import coupons
from hortus.billing.checkout import service as checkouts
from hortus.billing.checkout.schemas import CheckoutOut
from hortus.billing.checkout.service import Return
from hortus.billing.price_list import prices
from hortus.billing.price_list.quotes import choose_currency, choose_gateway
from hortus.billing.price_list.schemas import PlanOut
from hortus.billing.subscriptions import service as subscriptions
from hortus.billing.subscriptions.orders import order_plan
from hortus.billing.subscriptions.schemas import (
    BuyPlan,
    CancelPlan,
    ChangeOut,
    ChangePlan,
    SubscriptionDetails,
    SubscriptionOut,
)
from hortus.billing.tables import Checkout
from hortus.core import idempotency, ids
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.web.deps import (
    AllResources,
    IdempotencyHeader,
    IdempotencyKey,
    ReadTx,
    replayable_response,
)
from hortus.core.web.openapi import make_router
from hortus.payments import Gateways

router = make_router("/api", "payment")
CHECKOUT = limited_caller("checkout", "3/hour")
CHANGES = limited_caller("subscription", "20/hour")


@router.post("/payment/subscription", status_code=201, dependencies=[CHECKOUT], response_model=CheckoutOut)
@router.post(
    "/subscription/pro", include_in_schema=False, status_code=201, dependencies=[CHECKOUT], response_model=CheckoutOut
)
@router.post(
    "/subscribe/pro", include_in_schema=False, status_code=201, dependencies=[CHECKOUT], response_model=CheckoutOut
)
async def subscribe(
    caller: Caller,
    request: Request,
    resources: AllResources,
    once: IdempotencyHeader,
    body: Annotated[BuyPlan | None, Body()] = None,
) -> JSONResponse:
    """Subscribe to a plan: the response contains the payment URL. Limits and credits follow the payment."""
    wanted = body or BuyPlan()
    gateway = choose_gateway(resources[Gateways], wanted.gateway, wanted.currency, subscription=True)

    async def order(tx: Tx) -> Checkout:
        plan = await prices.plan_named(tx, wanted.plan)
        currency = choose_currency(tx, gateway, wanted.currency, plan.terms.prices_per(wanted.interval))
        coupon = await coupons.find_usable(tx, resources[Settings], wanted.coupon)
        return await order_plan(tx, gateway, caller.user_id, plan, wanted.interval, currency, coupon)

    async with coupons.count_attempt(request, caller.user_id, wanted.coupon):
        back = Return(wanted.success_path, wanted.cancel_path)
        checkout, replayed = await checkouts.begin_once(resources, once.claim(caller.user_id, wanted), order, back)
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    return JSONResponse(CheckoutOut.of(checkout).model_dump(mode="json"), 201, headers=headers)


@router.get("/payment/subscription/details")
@router.get("/payment/subscription/status", include_in_schema=False)
@router.get("/subscription/status", include_in_schema=False)
async def subscription_details(caller: Caller, tx: ReadTx) -> SubscriptionDetails:
    """Your plan, its end, and the subscription behind it."""
    return await _details(tx, caller.user_id)


async def _details(tx: Tx, user_id: str) -> SubscriptionDetails:
    plan, row = await subscriptions.details(tx, user_id)
    shown = None
    if row is not None:
        bought = await quotas.plan_version(tx, row.plan_id)
        following = await quotas.plan_version(tx, row.next_plan_id) if row.next_plan_id is not None else None
        shown = SubscriptionOut.of(row, bought.name, following.name if following is not None else None)
    return SubscriptionDetails(plan=PlanOut.of(plan), until=plan.until, subscription=shown)


@router.put("/payment/subscription/update", dependencies=[CHANGES], response_model=ChangeOut)
async def update_subscription(
    body: ChangePlan, caller: Caller, resources: AllResources, once: IdempotencyHeader
) -> JSONResponse:
    """Change the plan. Without `confirm` the response only shows the cost. Upgrades start now, others next period."""

    async def change(key: str) -> ChangeOut:
        proposed = await subscriptions.propose(resources, caller.user_id, body.plan, body.interval)
        await subscriptions.change(resources, caller.user_id, proposed, key)
        return _proposed(proposed, body)

    if body.confirm:
        return await _change_once(resources, caller, once, body, change)
    proposed = await subscriptions.propose(resources, caller.user_id, body.plan, body.interval)
    return JSONResponse(_proposed(proposed, body).model_dump(mode="json"))


def _proposed(proposed: subscriptions.Change, body: ChangePlan) -> ChangeOut:
    return ChangeOut(
        applied=body.confirm,
        plan=proposed.plan.name,
        interval=body.interval,
        amount_minor=proposed.amount_minor,
        currency=proposed.currency,
        due_minor=proposed.due_minor,
        unused_minor=proposed.unused_minor,
        takes_effect="now" if proposed.now else "next_period",
        effective_at=proposed.effective_at,
    )


@router.post("/payment/subscription/cancel", dependencies=[CHANGES], response_model=SubscriptionDetails)
async def cancel_subscription(
    caller: Caller, resources: AllResources, once: IdempotencyHeader, body: Annotated[CancelPlan | None, Body()] = None
) -> JSONResponse:
    """Cancel the subscription at the end of the period, or now. Bought credits stay."""
    wanted = body or CancelPlan()

    async def cancel(key: str) -> SubscriptionDetails:
        await subscriptions.cancel(resources, caller.user_id, now=wanted.at == "now", key=key)
        return await _now(resources, caller.user_id)

    return await _change_once(resources, caller, once, wanted, cancel)


@router.post("/payment/subscription/resume", dependencies=[CHANGES], response_model=SubscriptionDetails)
async def resume_subscription(caller: Caller, resources: AllResources, once: IdempotencyHeader) -> JSONResponse:
    """Revoke the cancellation at the end of the period."""

    async def resume(key: str) -> SubscriptionDetails:
        await subscriptions.resume(resources, caller.user_id, key=key)
        return await _now(resources, caller.user_id)

    return await _change_once(resources, caller, once, "", resume)


async def _now(resources: Resources, user_id: str) -> SubscriptionDetails:
    async with resources[Database].snapshot() as tx:
        return await _details(tx, user_id)


async def _change_once(
    resources: Resources,
    caller: Principal,
    once: IdempotencyKey,
    request: BaseModel | str,
    change: Callable[[str], Awaitable[BaseModel]],
) -> JSONResponse:
    """Run a change once per `Idempotency-Key`; a repetition gets the stored response.

    `change` receives the idempotency key for the gateway. A repetition before the first response was stored calls
    the gateway again, with the same key.
    """
    claimed, database = once.claim(caller.user_id, request), resources[Database]
    if claimed is None:
        return JSONResponse((await change(ids.new())).model_dump(mode="json"))
    async with database.transaction() as tx:
        kept = await idempotency.claim(tx, claimed)
        if kept is None:
            await idempotency.store(tx, claimed, 202, {})
        elif kept.status == 200:
            return replayable_response(kept)
    answer = (await change(f"{caller.user_id}:{once.key}")).model_dump(mode="json")
    async with database.transaction() as tx:
        await idempotency.store(tx, claimed, 200, answer)
    return JSONResponse(answer)
