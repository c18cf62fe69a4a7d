"""Papers about money: invoices and credit notes with numbers without a gap, statements, tables for bookkeepers."""

from hortus.billing.papers.details import forget_details
from hortus.billing.papers.issue import issue, request_dispute_note, request_invoice, request_refund_note
from hortus.billing.papers.settings import InvoiceSettings

__all__ = [
    "InvoiceSettings",
    "forget_details",
    "issue",
    "request_dispute_note",
    "request_invoice",
    "request_refund_note",
]
