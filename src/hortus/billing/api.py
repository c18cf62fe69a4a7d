"""Routes of `/api/payment`: the price list, checkouts, the subscription, payments."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated

from fastapi import Body, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from hortus import quotas
from hortus.accounts import Principal
from hortus.auth import Caller, limited_caller
from hortus.billing import coupons
from hortus.billing.checkout import orders
from hortus.billing.checkout import service as checkouts
from hortus.billing.checkout.service import MakeOrder, Return
from hortus.billing.coupons import Coupon
from hortus.billing.payments import refunds
from hortus.billing.price_list import catalogue
from hortus.billing.schemas import (
    AmountOut,
    BuyCredits,
    BuyPlan,
    CancelPlan,
    ChangeOut,
    ChangePlan,
    CheckoutId,
    CheckoutOut,
    GatewayOut,
    OpenPortal,
    PackOut,
    PaymentOut,
    PlanOut,
    PortalOut,
    PriceList,
    SubscriptionDetails,
    SubscriptionOut,
)
from hortus.billing.subscriptions import service as subscriptions
from hortus.billing.tables import Checkout
from hortus.core import idempotency, ids
from hortus.core.db import Database, Tx
from hortus.core.db.paging import Page
from hortus.core.resources import Resources
from hortus.core.schemas import Id
from hortus.core.settings import Settings
from hortus.core.web.deps import (
    AllResources,
    IdempotencyHeader,
    IdempotencyKey,
    PageParams,
    ReadTx,
    replayable_response,
    resource,
)
from hortus.core.web.openapi import make_router, public
from hortus.payments import Gateways

router = make_router("/api", "payment")
GatewaysOf = Annotated[Gateways, resource(Gateways)]
CHECKOUT = limited_caller("checkout", "3/hour")
TOPUP = limited_caller("topup", "10/hour")
CHANGES = limited_caller("subscription", "20/hour")


@router.get("/payment/plans", openapi_extra=public("a price list is for everybody"))
async def price_list(tx: ReadTx, gateways: GatewaysOf) -> PriceList:
    """All that is for sale, and where it can be paid."""
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
            for pack in await catalogue.offered_packs(tx)
        ],
        amounts=[AmountOut(**asdict(each)) for each in tx.settings(catalogue.BillingSettings).amounts()],
        gateways=[GatewayOut.of(gateway) for gateway in gateways.ready()],
    )


# Checkouts -------------------------------------------------------------------


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
    """Start to buy a plan: the answer says where to pay. Limits and credit come when the gateway was paid."""
    wish = body or BuyPlan()
    gateway = orders.choose_gateway(resources.get(Gateways), wish.gateway, wish.currency, subscription=True)

    async def order(tx: Tx) -> Checkout:
        plan = await catalogue.plan_named(tx, wish.plan)
        currency = orders.choose_currency(tx, gateway, wish.currency, plan.terms.prices_per(wish.interval))
        coupon = await _coupon(tx, resources, wish)
        return await orders.order_plan(tx, gateway, caller.user_id, plan, wish.interval, currency, coupon)

    async with coupons.guess_counted(request, caller.user_id, wish.coupon):
        return await _checkout(resources, caller, once, wish, order)


@router.post("/payment/topup", status_code=201, dependencies=[TOPUP], response_model=CheckoutOut)
async def top_up(
    body: BuyCredits, caller: Caller, request: Request, resources: AllResources, once: IdempotencyHeader
) -> JSONResponse:
    """Start to buy credit: a pack, or for an amount of your choice. What a coupon makes free is `paid` at once."""
    gateway = orders.choose_gateway(resources.get(Gateways), body.gateway, body.currency, subscription=False)

    async def order(tx: Tx) -> Checkout:
        if body.pack is not None:
            wanted = await orders.pack_wanted(tx, gateway, body.pack, body.currency)
        else:
            wanted = orders.amount_wanted(tx, body.amount_minor or 0, str(body.currency))
        coupon = await _coupon(tx, resources, body)
        return await orders.order_credits(tx, gateway, caller.user_id, wanted, coupon)

    async with coupons.guess_counted(request, caller.user_id, body.coupon):
        return await _checkout(resources, caller, once, body, order)


async def _coupon(tx: Tx, resources: Resources, wish: BuyPlan | BuyCredits) -> Coupon | None:
    return await coupons.good(tx, resources.get(Settings), wish.coupon) if wish.coupon is not None else None


@router.get("/payment/checkout/{checkout_id}")
async def read_checkout(checkout_id: Id, caller: Caller, tx: ReadTx) -> CheckoutOut:
    """Where an order stands. `paid` once the gateway said so; credit and limits are there then."""
    return CheckoutOut.of(await checkouts.find(tx, caller.user_id, checkout_id))


@router.post("/payment/checkout/{checkout_id}/cancel", dependencies=[CHANGES])
async def cancel_checkout(checkout_id: Id, caller: Caller, resources: AllResources) -> CheckoutOut:
    """Call an order off that you have not paid; a coupon it holds can be used again. Again is fine."""
    return CheckoutOut.of(await checkouts.cancel(resources, caller.user_id, checkout_id))


async def _checkout(
    resources: Resources,
    caller: Principal,
    once: IdempotencyKey,
    wish: BuyPlan | BuyCredits,
    order: MakeOrder,
) -> JSONResponse:
    """Write the order down once per key, then open it. A repeat after a crash goes on where the first one stopped."""
    claimed = once.claim(caller.user_id, wish)
    async with resources.get(Database).transaction() as tx:
        kept = await idempotency.claim(tx, claimed) if claimed is not None else None
        if kept is None:
            checkout_id = (await order(tx)).id
            if claimed is not None:
                answer = CheckoutId(checkout_id=checkout_id)
                await idempotency.keep(tx, claimed, 201, answer.model_dump(mode="json"))
        else:
            checkout_id = kept.body["checkout_id"]
    opened = await checkouts.begin(resources, checkout_id, Return(wish.success_path, wish.cancel_path))
    headers = {"Idempotency-Replayed": "true"} if kept is not None else None
    return JSONResponse(CheckoutOut.of(opened).model_dump(mode="json"), 201, headers=headers)


# The subscription ------------------------------------------------------------


@router.get("/payment/subscription/details")
@router.get("/payment/subscription/status", include_in_schema=False)
@router.get("/subscription/status", include_in_schema=False)
async def subscription_details(caller: Caller, tx: ReadTx) -> SubscriptionDetails:
    """The plan you have, until when, and the subscription behind it."""
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
    """Change the plan. First, without `confirm`, see what it costs: something dearer starts now, the rest later."""

    async def change(key: str) -> ChangeOut:
        proposed = await subscriptions.propose(resources, caller.user_id, body.plan, body.interval)
        await subscriptions.change(resources, caller.user_id, proposed, key)
        return _proposed(proposed, body)

    if body.confirm:
        return await _asked_once(resources, caller, once, body, change)
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
    """End the subscription when what was paid is used up, or now. Bought credit stays either way."""
    wish = body or CancelPlan()

    async def cancel(key: str) -> SubscriptionDetails:
        await subscriptions.cancel(resources, caller.user_id, now=wish.at == "now", key=key)
        return await _now(resources, caller.user_id)

    return await _asked_once(resources, caller, once, wish, cancel)


@router.post("/payment/subscription/resume", dependencies=[CHANGES], response_model=SubscriptionDetails)
async def resume_subscription(caller: Caller, resources: AllResources, once: IdempotencyHeader) -> JSONResponse:
    """Let a subscription that was to end go on."""

    async def resume(key: str) -> SubscriptionDetails:
        await subscriptions.resume(resources, caller.user_id, key=key)
        return await _now(resources, caller.user_id)

    return await _asked_once(resources, caller, once, "", resume)


@router.post("/payment/portal", dependencies=[CHANGES])
async def open_portal(
    caller: Caller, resources: AllResources, body: Annotated[OpenPortal | None, Body()] = None
) -> PortalOut:
    """A page of the gateway where you manage cards and papers, where it has one."""
    return PortalOut(url=await refunds.portal(resources, caller.user_id, (body or OpenPortal()).return_path))


async def _now(resources: Resources, user_id: str) -> SubscriptionDetails:
    async with resources.get(Database).snapshot() as tx:
        return await _details(tx, user_id)


async def _asked_once(
    resources: Resources,
    caller: Principal,
    once: IdempotencyKey,
    asked: BaseModel | str,
    change: Callable[[str], Awaitable[BaseModel]],
) -> JSONResponse:
    """Change something at the gateway once per `Idempotency-Key`; a repetition gets the first answer.

    `change` gets the key by which the gateway knows the request. A repetition before the first answer was stored
    (it is still running, or broke off) asks the gateway again, with the same key.
    """
    claimed, database = once.claim(caller.user_id, asked), resources.get(Database)
    if claimed is None:
        return JSONResponse((await change(ids.new())).model_dump(mode="json"))
    async with database.transaction() as tx:
        kept = await idempotency.claim(tx, claimed)
        if kept is None:
            await idempotency.keep(tx, claimed, 202, {})
        elif kept.status == 200:
            return replayable_response(kept)
    answer = (await change(f"{caller.user_id}:{once.key}")).model_dump(mode="json")
    async with database.transaction() as tx:
        await idempotency.keep(tx, claimed, 200, answer)
    return JSONResponse(answer)


# Payments --------------------------------------------------------------------


@router.get("/payment/history")
async def payment_history(caller: Caller, tx: ReadTx, paging: PageParams) -> Page[PaymentOut]:
    """What you paid, the newest first."""
    page = await refunds.payments_of(tx, caller.user_id, paging)
    return Page(items=[PaymentOut.of(row) for row in page.items], next_cursor=page.next_cursor)
