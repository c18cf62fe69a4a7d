"""Errors of invoices and their PDFs."""

from hortus.core.errors import NotFound, ServiceUnavailable


class InvoiceNotFound(NotFound):
    """No such invoice, or not yours."""

    code = "invoice_not_found"
    detail = "There is no such invoice, or it is not yours."


class PdfNotRendered(ServiceUnavailable):
    """The PDF could not be rendered in time."""

    code, title = "invoice_not_printed", "The PDF could not be made"
    detail = "Try again in a little while. The invoice itself is there; only its PDF is late."
