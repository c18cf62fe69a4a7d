"""Routes of `/api/admin` over payments, webhook events, revenue and margins."""

from datetime import date, datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Query
from fastapi.responses import JSONResponse

from hortus import billing, generation
from hortus.admin.audit import actor_of, record
from hortus.admin.callers import RecentAdmin
from hortus.admin.money import service
from hortus.admin.money.schemas import (
    AssignIn,
    BackOut,
    MarginList,
    MarginOut,
    MoneyOut,
    PaperOut,
    PaymentDetailsOut,
    RefundIn,
    RevenueList,
    RevenueOut,
    WebhookEventDetailsOut,
    WebhookEventOut,
)
from hortus.admin.schemas import ReasonIn
from hortus.auth import Admin, Staff
from hortus.core import clock, ids
from hortus.core.db import Database, Tx
from hortus.core.db.paging import Page
from hortus.core.schemas import DateTimeIn, Id
from hortus.core.settings import Settings
from hortus.core.web.deps import AllResources, IdempotencyHeader, PageParams, ReadTx, WriteTx, resource
from hortus.core.web.openapi import make_router

router = make_router("/api/admin", "admin")
SettingsOf = Annotated[Settings, resource(Settings)]
VendorId = Annotated[str, Query(max_length=255, pattern=r"^[\x21-\x7e]+$")]
Month = Annotated[str, Query(max_length=7, pattern=r"^[2-9][0-9]{3}-(0[1-9]|1[0-2])$", examples=["2026-11"])]


# Payments --------------------------------------------------------------------


@router.get("/payments", operation_id="admin_list_payments")
async def list_payments(
    _caller: Staff,
    tx: ReadTx,
    paging: PageParams,
    user_id: Id | None = None,
    vendor_id: VendorId | None = None,
    status: billing.PaymentStatus | None = None,
    since: DateTimeIn | None = None,
    until: DateTimeIn | None = None,
) -> Page[MoneyOut]:
    """Payments, newest first. `status=unmatched` are those that fit no order; the times are those of the booking."""
    page = await billing.find_payments(
        tx, paging, user_id=user_id, vendor_id=vendor_id, status=status, since=since, until=until
    )
    return Page(items=[MoneyOut.of(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/payments/{payment_id}", operation_id="admin_read_payment")
async def read_payment(payment_id: Id, _caller: Staff, tx: ReadTx) -> PaymentDetailsOut:
    """One payment, what went back of it, and its papers."""
    return await _look(tx, payment_id)


@router.post("/payments/{payment_id}/refund", operation_id="admin_refund_payment", response_model=PaymentDetailsOut)
async def refund_payment(
    payment_id: Id, body: RefundIn, caller: RecentAdmin, resources: AllResources, once: IdempotencyHeader
) -> JSONResponse:
    """Give a payment back, all that is left of it or a part, once per `Idempotency-Key`. Its credit goes with it."""
    once.key = once.key or ids.new()
    claim = once.claim(caller.user_id, body)
    assert claim is not None  # noqa: S101 - there is a key
    key = f"admin:{caller.user_id}:{once.key}"
    first = await service.refund(resources, caller, payment_id, body.amount_minor, body.reason, claim, key)
    async with resources.get(Database).snapshot() as tx:
        shown = await _look(tx, payment_id)
    headers = None if first else {"Idempotency-Replayed": "true"}
    return JSONResponse(shown.model_dump(mode="json"), headers=headers)


@router.post("/payments/{payment_id}/assign", operation_id="admin_assign_payment")
async def assign_payment(payment_id: Id, body: AssignIn, caller: RecentAdmin, tx: WriteTx) -> PaymentDetailsOut:
    """Assign a payment that fits no order: to an unpaid order, whose credit is granted, or to a user without credit."""
    if body.checkout_id is not None:
        await billing.assign_to_checkout(tx, payment_id, body.checkout_id)
    else:
        await billing.assign_to_user(tx, payment_id, body.user_id or "")
    shown = await _look(tx, payment_id)
    details = {"user_id": shown.user_id, "checkout_id": shown.checkout_id}
    await record(tx, actor_of(caller), "payment.assigned", ("payment", payment_id), details, note=body.reason)
    return shown


async def _look(tx: Tx, payment_id: str) -> PaymentDetailsOut:
    looked = await billing.get_payment(tx, payment_id)
    return PaymentDetailsOut(
        **dict(MoneyOut.of(looked.payment)),
        refunds=[_back(row, row.refunded_at) for row in looked.refunds],
        disputes=[_back(row, row.opened_at) for row in looked.disputes],
        papers=[PaperOut.model_validate(row, from_attributes=True) for row in looked.invoices],
    )


def _back(row: Any, at: datetime) -> BackOut:
    status = getattr(row, "status", None)
    return BackOut(id=row.id, vendor_id=row.vendor_id, amount_minor=row.amount_minor, status=status, at=at)


# What gateways told ----------------------------------------------------------


@router.get("/webhook-events", operation_id="admin_list_webhook_events")
async def list_events(
    _caller: Staff, tx: ReadTx, paging: PageParams, status: billing.EventStatus | None = None
) -> Page[WebhookEventOut]:
    """News from gateways, newest first; `status=dead` was tried too often."""
    page = await billing.find_webhook_events(tx, paging, status=status)
    shown = [WebhookEventOut.model_validate(row, from_attributes=True) for row in page.items]
    return Page(items=shown, next_cursor=page.next_cursor)


@router.get("/webhook-events/{event_id}", operation_id="admin_read_webhook_event")
async def read_event(event_id: Id, _caller: Admin, tx: ReadTx) -> WebhookEventDetailsOut:
    """One piece of news with its body, which may speak of a person."""
    row = await billing.webhook_event(tx, event_id)
    shown = WebhookEventOut.model_validate(row, from_attributes=True)
    body = row.body.decode(errors="replace") if row.body is not None else None
    return WebhookEventDetailsOut(**dict(shown), body=body)


@router.post("/webhook-events/{event_id}/replay", operation_id="admin_replay_webhook_event")
async def replay_event(event_id: Id, body: ReasonIn, caller: RecentAdmin, tx: WriteTx) -> WebhookEventOut:
    """Ask the gateway once more about what this news named; whatever is known already has no effect again."""
    await billing.replay(tx, event_id)
    shown = WebhookEventOut.model_validate(await billing.webhook_event(tx, event_id), from_attributes=True)
    details = {"gateway": shown.gateway, "kind": shown.kind}
    await record(tx, actor_of(caller), "webhook_event.replayed", ("webhook_event", event_id), details, note=body.reason)
    return shown


# What it brought in ----------------------------------------------------------


@router.get("/revenue", operation_id="admin_read_revenue")
async def read_revenue(
    _caller: Admin, tx: ReadTx, settings: SettingsOf, months: Annotated[int, Query(ge=1, le=24)] = 12
) -> RevenueList:
    """The last months up to this one: money, recurring revenue, subscriptions that began and ended."""
    this = clock.now().astimezone(settings.zone).date().replace(day=1)
    first = _start(this, -(months - 1), settings.zone).date()
    items = []
    for number in range(months):
        start, end = _start(first, number, settings.zone), _start(first, number + 1, settings.zone)
        found = await billing.revenue(tx, start, min(end, clock.now()) if number == months - 1 else end)
        items += [
            RevenueOut(
                month=f"{start:%Y-%m}",
                gateway=gateway,
                currency=currency,
                payments=row.payments,
                paid_minor=row.paid,
                refunded_minor=row.refunded,
                disputed_minor=row.disputed,
                net_minor=row.paid - row.refunded - row.disputed,
                mrr_minor=row.mrr,
                new_subscriptions=row.new,
                churned_subscriptions=row.churned,
            )
            for (gateway, currency), row in sorted(found.items())
        ]
    return RevenueList(since=first, items=items)


@router.get("/margins", operation_id="admin_read_margins")
async def read_margins(_caller: Admin, tx: ReadTx, settings: SettingsOf, month: Month | None = None) -> MarginList:
    """What each model brought in and cost in one month (this one unless said)."""
    named = month or f"{clock.now().astimezone(settings.zone):%Y-%m}"
    first = date(int(named[:4]), int(named[5:]), 1)
    found = await generation.margins(tx, _start(first, 0, settings.zone), _start(first, 1, settings.zone))
    return MarginList(
        month=named,
        items=[
            MarginOut(
                model=row.model,
                provider=row.provider,
                works=row.works,
                succeeded=row.succeeded,
                price_credits=row.price,
                cost_currency=row.currency,
                cost_millionths=row.cost,
            )
            for row in found
        ],
    )


def _start(first: date, months: int, zone: ZoneInfo) -> datetime:
    """The moment at which the month begins that is so many months after the one of `first`."""
    return clock.months_later(datetime.combine(first, time(), zone), months)
