"""Routes of `/api/payment` for bookkeeping: the table of payments and the monthly statement."""

from datetime import date
from typing import Annotated, Literal

from fastapi import Query
from fastapi.responses import Response

from hortus.auth import Caller, limited_caller
from hortus.billing.statements import reports
from hortus.billing.statements.schemas import KeyMonthOut, MoneyOut, MovementOut, StatementDocumentOut, StatementOut
from hortus.core import clock
from hortus.core.settings import Settings
from hortus.core.web.deps import ReadTx, resource
from hortus.core.web.openapi import make_router

router = make_router("/api/payment", "payment")
SettingsOf = Annotated[Settings, resource(Settings)]
REPORTS = limited_caller("statement", "30/minute")
Month = Annotated[str, Query(max_length=7, pattern=r"^[2-9][0-9]{3}-(0[1-9]|1[0-2])$", examples=["2026-11"])]


@router.get(
    "/history.csv",
    dependencies=[REPORTS],
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "The table"}},
)
async def payment_table(
    caller: Caller, tx: ReadTx, settings: SettingsOf, year: Annotated[int | None, Query(ge=2000, le=9998)] = None
) -> Response:
    """Your payments of a calendar year (the current one by default) as a table; at most 10,000 rows."""
    wanted = year or clock.now().astimezone(settings.zone).year
    start, end = reports.span_of(date(wanted, 1, 1), 12, settings.zone)
    rows = await reports.payment_rows(tx, caller.user_id, start, end)
    return _table(reports.to_csv(reports.PAYMENT_COLUMNS, rows), f"payments-{wanted}.csv")


@router.get(
    "/statement",
    dependencies=[REPORTS],
    response_model=StatementOut,
    responses={200: {"content": {"text/csv": {}}, "description": "The month, as JSON or as a table"}},
)
async def statement(
    caller: Caller, tx: ReadTx, settings: SettingsOf, month: Month, format: Literal["json", "csv"] = "json"
) -> StatementOut | Response:
    """One calendar month: payments, invoices, credits, and the usage of each API key."""
    found = await reports.month_of(tx, caller.user_id, reports.month_named(month), settings.zone)
    if format == "csv":
        return _table(
            reports.to_csv(reports.STATEMENT_COLUMNS, reports.statement_rows(found)), f"statement-{month}.csv"
        )
    return _show(month, found)


def _show(month: str, found: reports.Month) -> StatementOut:
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
        documents=[StatementDocumentOut.model_validate(row, from_attributes=True) for row in found.invoices],
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
    headers = {  # `name` consists of our own letters and digits
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-store",
    }
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)
