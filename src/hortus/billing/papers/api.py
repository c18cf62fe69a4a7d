"""Routes of `/api/payment` about papers: who the buyer is, invoices, and what bookkeepers want."""

from datetime import date
from typing import Annotated, Literal

from fastapi import Query
from fastapi.responses import Response

from hortus.auth import Caller, limited_caller
from hortus.billing.papers import sheets
from hortus.billing.papers.details import details_of, set_details
from hortus.billing.papers.listing import invoice_of, invoices_of
from hortus.billing.papers.printing import Press, laid_out
from hortus.billing.papers.schemas import (
    DetailsIn,
    DetailsOut,
    InvoiceOut,
    KeyMonthOut,
    MoneyOut,
    MovementOut,
    PaperOut,
    StatementOut,
)
from hortus.core import clock
from hortus.core.db import Database
from hortus.core.db.paging import Page
from hortus.core.schemas import Id
from hortus.core.settings import Settings
from hortus.core.web.deps import AllResources, PageOf, ReadTx, WriteTx, resource
from hortus.core.web.openapi import make_router

router = make_router("/api/payment", "payment")
SettingsOf = Annotated[Settings, resource(Settings)]
PRINT = limited_caller("invoice_pdf", "30/minute")
SHEETS = limited_caller("statement", "30/minute")
Month = Annotated[str, Query(max_length=7, pattern=r"^[2-9][0-9]{3}-(0[1-9]|1[0-2])$", examples=["2026-11"])]


# Who the buyer is ------------------------------------------------------------


@router.get("/billing-details")
async def read_billing_details(caller: Caller, tx: ReadTx) -> DetailsOut:
    """What papers to come will show as the buyer."""
    return DetailsOut.of(await details_of(tx, caller.user_id))


@router.put("/billing-details")
async def set_billing_details(body: DetailsIn, caller: Caller, tx: WriteTx) -> DetailsOut:
    """Set all of it. Papers that were given out stay as they are."""
    await set_details(tx, caller.user_id, body.model_dump())
    return DetailsOut.of(await details_of(tx, caller.user_id))


# Invoices --------------------------------------------------------------------


@router.get("/invoices")
async def list_invoices(caller: Caller, tx: ReadTx, paging: PageOf) -> Page[InvoiceOut]:
    """Your invoices and credit notes, newest first."""
    page = await invoices_of(tx, caller.user_id, paging)
    return Page(items=[InvoiceOut.of(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/invoices/{invoice_id}")
async def read_invoice(invoice_id: Id, caller: Caller, tx: ReadTx) -> InvoiceOut:
    """One of your papers."""
    return InvoiceOut.of(await invoice_of(tx, caller.user_id, invoice_id))


@router.get(
    "/invoices/{invoice_id}/pdf",
    dependencies=[PRINT],
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}, "description": "The paper"}},
)
async def print_invoice(invoice_id: Id, caller: Caller, resources: AllResources) -> Response:
    """One of your papers as a PDF."""
    async with resources.get(Database).snapshot() as tx:
        row = await invoice_of(tx, caller.user_id, invoice_id)
    made = await resources.get(Press).pdf(laid_out(row))
    return Response(made, media_type="application/pdf", headers=_saved_as(f"{row.number}.pdf"))


# For bookkeepers -------------------------------------------------------------


@router.get(
    "/history.csv",
    dependencies=[SHEETS],
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "The table"}},
)
async def payment_table(
    caller: Caller, tx: ReadTx, settings: SettingsOf, year: Annotated[int | None, Query(ge=2000, le=9998)] = None
) -> Response:
    """Your payments of a calendar year (this one unless said) as a table; at most 10,000 rows."""
    wanted = year or clock.now().astimezone(settings.zone).year
    start, end = sheets.span_of(date(wanted, 1, 1), 12, settings.zone)
    rows = await sheets.payment_rows(tx, caller.user_id, start, end)
    return _table(sheets.to_csv(sheets.PAYMENT_COLUMNS, rows), f"payments-{wanted}.csv")


@router.get(
    "/statement",
    dependencies=[SHEETS],
    response_model=StatementOut,
    responses={200: {"content": {"text/csv": {}}, "description": "The month, as JSON or as a table"}},
)
async def statement(
    caller: Caller, tx: ReadTx, settings: SettingsOf, month: Month, format: Literal["json", "csv"] = "json"
) -> StatementOut | Response:
    """One calendar month: money, papers, credit, and what each API key used."""
    found = await sheets.month_of(tx, caller.user_id, sheets.month_named(month), settings.zone)
    if format == "csv":
        return _table(sheets.to_csv(sheets.STATEMENT_COLUMNS, sheets.statement_rows(found)), f"statement-{month}.csv")
    return _show(month, found)


def _show(month: str, found: sheets.Month) -> StatementOut:
    return StatementOut(
        month=month,
        starts_at=found.start,
        ends_at=found.end,
        money=[
            MoneyOut(
                currency=currency,
                paid_minor=money.paid,
                returned_minor=money.returned,
                tax_minor=money.tax,
                net_minor=money.paid - money.returned,
            )
            for currency, money in sorted(found.money.items())
        ],
        papers=[PaperOut.model_validate(paper, from_attributes=True) for paper in found.papers],
        credits=[MovementOut(kind=line.kind, count=line.count, amount=line.amount) for line in found.credits],
        keys=[
            KeyMonthOut(
                id=key.id,
                name=key.name,
                prefix=key.prefix,
                calls=spent.accepted,
                failures=spent.failures,
                credits=spent.credits,
            )
            for key, spent in found.keys
        ],
    )


def _table(text: str, name: str) -> Response:
    return Response(text, media_type="text/csv; charset=utf-8", headers=_saved_as(name))


def _saved_as(name: str) -> dict[str, str]:
    """`name` is made of our own letters only."""
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
