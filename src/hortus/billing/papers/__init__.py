"""Papers about money: invoices and credit notes with numbers without a gap, statements, tables for bookkeepers."""

from hortus.billing.papers.details import forget_details
from hortus.billing.papers.issue import issue_noted, note_lost, note_payment, note_refund
from hortus.billing.papers.settings import InvoiceSettings

__all__ = ["InvoiceSettings", "forget_details", "issue_noted", "note_lost", "note_payment", "note_refund"]
