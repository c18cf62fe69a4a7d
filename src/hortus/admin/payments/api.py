"""Routes of `/api/admin` over payments, webhook events, revenue and margins."""

from datetime import date, datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Query
from fastapi.responses import JSONResponse

from hortus import billing, generation
from hortus.admin.audit import actor_of, record
from hortus.admin.deps import RecentAdmin
from hortus.admin.payments import service
from hortus.admin.payments.schemas import (
    AdminPaymentOut,
    AssignIn,
    DocumentSummaryOut,
    MarginList,
    MarginOut,
    PaymentDetailsOut,
    RefundIn,
    RevenueList,
    RevenueOut,
    ReversalOut,
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
    external_id: VendorId | None = None,
    status: billing.PaymentStatus | None = None,
    since: DateTimeIn | None = None,
    until: DateTimeIn | None = None,
) -> Page[AdminPaymentOut]:
    """Payments, newest first. `status=unmatched` are those without a checkout. Times are booking times."""
    page = await billing.find_payments(
        tx, paging, user_id=user_id, external_id=external_id, status=status, since=since, until=until
    )
    return Page(items=[AdminPaymentOut.of(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/payments/{payment_id}", operation_id="admin_read_payment")
async def read_payment(payment_id: Id, _caller: Staff, tx: ReadTx) -> PaymentDetailsOut:
    """One payment with its refunds, disputes, invoices and credit notes."""
    return await _read_payment(tx, payment_id)


@router.post("/payments/{payment_id}/refund", operation_id="admin_refund_payment", response_model=PaymentDetailsOut)
async def refund_payment(
    payment_id: Id, body: RefundIn, caller: RecentAdmin, resources: AllResources, once: IdempotencyHeader
) -> JSONResponse:
    """Refund the rest of a payment, or a part, once per `Idempotency-Key`. Its credits are clawed back."""
    once.key = once.key or ids.new()
    claim = once.claim(caller.user_id, body)
    assert claim is not None  # noqa: S101 - there is a key
    key = f"admin:{caller.user_id}:{once.key}"
    first = await service.refund(resources, caller, payment_id, body.amount_minor, body.reason, claim, key)
    async with resources[Database].snapshot() as tx:
        shown = await _read_payment(tx, payment_id)
    headers = None if first else {"Idempotency-Replayed": "true"}
    return JSONResponse(shown.model_dump(mode="json"), headers=headers)


@router.post("/payments/{payment_id}/assign", operation_id="admin_assign_payment")
async def assign_payment(payment_id: Id, body: AssignIn, caller: RecentAdmin, tx: WriteTx) -> PaymentDetailsOut:
    """Assign an unmatched payment: to an unpaid checkout, which grants its credits, or to a user without a grant."""
    if body.checkout_id is not None:
        await billing.assign_to_checkout(tx, payment_id, body.checkout_id)
    else:
        await billing.assign_to_user(tx, payment_id, body.user_id or "")
    shown = await _read_payment(tx, payment_id)
    details = {"user_id": shown.user_id, "checkout_id": shown.checkout_id}
    await record(tx, actor_of(caller), "payment.assigned", ("payment", payment_id), details, note=body.reason)
    return shown


async def _read_payment(tx: Tx, payment_id: str) -> PaymentDetailsOut:
    found = await billing.get_payment(tx, payment_id)
    return PaymentDetailsOut(
        **dict(AdminPaymentOut.of(found.payment)),
        refunds=[_reversal_out(row, row.refunded_at) for row in found.refunds],
        disputes=[_reversal_out(row, row.opened_at) for row in found.disputes],
        documents=[DocumentSummaryOut.model_validate(row, from_attributes=True) for row in found.invoices],
    )


def _reversal_out(row: Any, at: datetime) -> ReversalOut:
    status = getattr(row, "status", None)
    return ReversalOut(id=row.id, external_id=row.external_id, amount_minor=row.amount_minor, status=status, at=at)


# Webhook events --------------------------------------------------------------


@router.get("/webhook-events", operation_id="admin_list_webhook_events")
async def list_events(
    _caller: Staff, tx: ReadTx, paging: PageParams, status: billing.EventStatus | None = None
) -> Page[WebhookEventOut]:
    """Webhook events, newest first; `status=failed` are those that exhausted their attempts."""
    page = await billing.find_webhook_events(tx, paging, status=status)
    shown = [WebhookEventOut.model_validate(row, from_attributes=True) for row in page.items]
    return Page(items=shown, next_cursor=page.next_cursor)


@router.get("/webhook-events/{event_id}", operation_id="admin_read_webhook_event")
async def read_event(event_id: Id, _caller: Admin, tx: ReadTx) -> WebhookEventDetailsOut:
    """One webhook event with its body, which may contain personal data."""
    row = await billing.webhook_event(tx, event_id)
    shown = WebhookEventOut.model_validate(row, from_attributes=True)
    body = row.body.decode(errors="replace") if row.body is not None else None
    return WebhookEventDetailsOut(**dict(shown), body=body)


@router.post("/webhook-events/{event_id}/replay", operation_id="admin_replay_webhook_event")
async def replay_event(event_id: Id, body: ReasonIn, caller: RecentAdmin, tx: WriteTx) -> WebhookEventOut:
    """Process a webhook event again: fetch its object from the gateway and apply the current state, at most once."""
    await billing.replay(tx, event_id)
    shown = WebhookEventOut.model_validate(await billing.webhook_event(tx, event_id), from_attributes=True)
    details = {"gateway": shown.gateway, "kind": shown.kind}
    await record(tx, actor_of(caller), "webhook_event.replayed", ("webhook_event", event_id), details, note=body.reason)
    return shown


# Revenue and margins ---------------------------------------------------------


@router.get("/revenue", operation_id="admin_read_revenue")
async def read_revenue(
    _caller: Admin, tx: ReadTx, settings: SettingsOf, months: Annotated[int, Query(ge=1, le=24)] = 12
) -> RevenueList:
    """Payments, recurring revenue, new and cancelled subscriptions of the last months, including this one."""
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
    """Revenue and cost of each model in one month (default: the current one)."""
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
    """The time at which the month begins that is `months` after the month of `first`."""
    return clock.add_months(datetime.combine(first, time(), zone), months)
