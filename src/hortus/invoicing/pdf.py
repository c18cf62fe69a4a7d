"""PDFs of invoices and credit notes, rendered on demand from the stored snapshot, so each copy is the same."""

import asyncio
import json
import os
import re
import sys
from copy import copy
from decimal import Decimal
from pathlib import Path
from typing import Any

import structlog

from hortus.core.money import minor_digits
from hortus.invoicing.errors import PdfNotRendered
from hortus.invoicing.tables import Invoice

log = structlog.get_logger()
SECONDS = 20
AT_ONCE = 2
"""How many documents one process renders at the same time; others wait."""
SANDBOX_NOTE = "Sandbox payment: this is not an invoice, and no money is owed."
_TITLES = {"invoice": "Invoice", "credit_note": "Credit note"}
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TEMP")


def money(amount_minor: int, currency: str) -> str:
    """An amount for people, such as `₹1,180.00`, without any float."""
    from babel import Locale  # noqa: PLC0415 - loaded by the first document

    locale = Locale.parse("en_IN" if currency == "INR" else "en_US")
    pattern = copy(locale.currency_formats["standard"])
    digits = minor_digits(currency)  # ISO 4217: CLDR shows fewer decimals than some currencies are counted in
    pattern.frac_prec = (digits, digits)
    return str(pattern.apply(Decimal(amount_minor).scaleb(-digits), locale, currency=currency, currency_digits=False))


def laid_out(row: Invoice) -> dict[str, Any]:
    """The input of the template: texts only, in their order."""
    from babel.dates import format_date  # noqa: PLC0415 - as above

    taxed = row.treatment not in ("none", "outside_scope")
    title = "Tax invoice" if row.kind == "invoice" and taxed else _TITLES[row.kind]
    facts = [["Payment", row.payment_id]]
    if row.lines and row.lines[0]["period_start"]:
        facts.append(["Period", f"{row.lines[0]['period_start']} to {row.lines[0]['period_end']}"])
    if row.treatment in ("cgst_sgst", "igst") and row.buyer["state"]:
        facts.append(["Place of supply", row.buyer["state"]])
    return {
        "title": title,
        "number": row.number,
        "issued_on": format_date(row.issued_on, "d MMMM yyyy", locale="en"),
        "timestamp": int(row.issued_at.timestamp()),
        "sandbox": row.sandbox,
        "sandbox_note": SANDBOX_NOTE,
        "seller": _party(row.seller),
        "buyer": _party(row.buyer),
        "facts": facts,
        "code_label": "SAC" if any(line["tax_code"] for line in row.lines) else "",
        "lines": [
            {
                "title": line["title"],
                "code": line["tax_code"] or "",
                "quantity": str(line["quantity"]),
                "amount": money(line["net_minor"], row.currency),
            }
            for line in row.lines
        ],
        "sums": [
            ["Net", money(row.net_minor, row.currency)],
            *([f"{tax['name']} {tax['rate']} %", money(tax["amount_minor"], row.currency)] for tax in row.taxes),
        ],
        "total": ["Total" if row.kind == "invoice" else "Total credited", money(row.total_minor, row.currency)],
        "notes": row.notes,
        "footer": row.seller.get("footer", ""),
    }


def _party(party: dict[str, str]) -> dict[str, Any]:
    place = ", ".join(part for part in (party["state"], party["country"]) if part)
    lines = [*party["address"].split("\n"), place]
    lines += [f"{label} {party[name]}" for label, name in (("GSTIN", "gstin"), ("VAT id", "vat_id")) if party[name]]
    lines.append(party["email"])
    name = party["name"] or party["email"] or "Customer"
    return {"name": _breakable(name), "lines": [_breakable(line) for line in lines if line]}


def _breakable(line: str) -> str:
    """Allow a line break inside words that are wider than their column."""
    return re.sub(r"(\S{30})(?=\S)", "\\1\u200b", line)


class PdfRenderer:
    """Renders a few documents at a time, each in a child process that is killed when it takes too long."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def render(self, document: dict[str, Any]) -> bytes:
        """The PDF of a document (`laid_out`). Raises PdfNotRendered."""
        async with self._slots:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                str(Path(__file__).with_name("render_worker.py")),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            )
            try:
                async with asyncio.timeout(SECONDS):
                    pdf, errors = await child.communicate(json.dumps(document).encode())
            except TimeoutError:
                log.error("invoice_render_failed", reason=f"not done within {SECONDS} s")
                raise PdfNotRendered from None
            finally:
                if child.returncode is None:
                    child.kill()
                    await child.wait()
        if child.returncode or not pdf.startswith(b"%PDF-"):
            log.error("invoice_render_failed", reason=errors.decode(errors="replace")[-300:])
            raise PdfNotRendered
        return pdf
