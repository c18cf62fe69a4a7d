"""Invoices and credit notes: numbers without a gap, taxes, PDFs, and the buyer's billing details.

Works on plain values (`Sale`, `Reversal`): the caller books money and passes what a document has to show.
"""

from hortus.invoicing.issue import Reversal, Sale, issue_credit_note, issue_invoice
from hortus.invoicing.pdf import PdfRenderer
from hortus.invoicing.queries import invoices_between, invoices_of_payment
from hortus.invoicing.settings import InvoiceSettings, seller_name
from hortus.invoicing.tables import Invoice

__all__ = [
    "Invoice",
    "InvoiceSettings",
    "PdfRenderer",
    "Reversal",
    "Sale",
    "invoices_between",
    "invoices_of_payment",
    "issue_credit_note",
    "issue_invoice",
    "seller_name",
]
