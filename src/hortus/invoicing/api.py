"""Routes of `/api/payment` for billing details, invoices and credit notes."""

from fastapi.responses import Response

from hortus.auth import Caller, limited_caller
from hortus.core.db import Database
from hortus.core.db.paging import Page
from hortus.core.schemas import Id
from hortus.core.web.deps import AllResources, PageParams, ReadTx, WriteTx
from hortus.core.web.openapi import make_router
from hortus.invoicing.billing_details import details_of, set_details
from hortus.invoicing.pdf import PdfRenderer, laid_out
from hortus.invoicing.queries import invoice_of, invoices_of
from hortus.invoicing.schemas import DetailsIn, DetailsOut, InvoiceOut

router = make_router("/api/payment", "payment")
PDF = limited_caller("invoice_pdf", "30/minute")


# Billing details -------------------------------------------------------------


@router.get("/billing-details")
async def read_billing_details(caller: Caller, tx: ReadTx) -> DetailsOut:
    """The buyer that future invoices show."""
    return DetailsOut.of(await details_of(tx, caller.user_id))


@router.put("/billing-details")
async def set_billing_details(body: DetailsIn, caller: Caller, tx: WriteTx) -> DetailsOut:
    """Replace all billing details. Invoices that were issued stay as they are."""
    await set_details(tx, caller.user_id, body.model_dump())
    return DetailsOut.of(await details_of(tx, caller.user_id))


# Invoices --------------------------------------------------------------------


@router.get("/invoices")
async def list_invoices(caller: Caller, tx: ReadTx, paging: PageParams) -> Page[InvoiceOut]:
    """Your invoices and credit notes, newest first."""
    page = await invoices_of(tx, caller.user_id, paging)
    return Page(items=[InvoiceOut.of(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/invoices/{invoice_id}")
async def read_invoice(invoice_id: Id, caller: Caller, tx: ReadTx) -> InvoiceOut:
    """One of your invoices or credit notes."""
    return InvoiceOut.of(await invoice_of(tx, caller.user_id, invoice_id))


@router.get(
    "/invoices/{invoice_id}/pdf",
    dependencies=[PDF],
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}, "description": "The document"}},
)
async def read_invoice_pdf(invoice_id: Id, caller: Caller, resources: AllResources) -> Response:
    """One of your invoices or credit notes as a PDF."""
    async with resources[Database].snapshot() as tx:
        row = await invoice_of(tx, caller.user_id, invoice_id)
    pdf = await resources[PdfRenderer].render(laid_out(row))
    headers = {  # the number consists of our own letters and digits
        "Content-Disposition": f'attachment; filename="{row.number}.pdf"',
        "Cache-Control": "private, no-store",
    }
    return Response(pdf, media_type="application/pdf", headers=headers)
