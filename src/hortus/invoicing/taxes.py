"""Taxes included in an amount. Prices are gross: an invoice adds up to the amount that was paid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hortus.core.money import apportion, percent_to_points, shares_of
from hortus.invoicing.settings import InvoiceSettings
from hortus.invoicing.states import WITHOUT_LEGISLATURE
from hortus.invoicing.tax_ids import EUROPEAN_UNION


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a sale is taxed: its code, (name, basis points) of each tax, and the notes that the law requires."""

    name: str
    rates: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self, gross: int) -> list[dict[str, Any]]:
        """The tax lines inside `gross`."""
        return tax_lines(gross, self.rates)


def tax_lines(gross: int, rates: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """The tax lines inside `gross`. Together they are never more than `gross`."""
    shares = shares_of(gross, [rate for _name, rate in rates])
    return [
        {"name": name, "rate_points": rate, "amount_minor": amount}
        for (name, rate), amount in zip(rates, shares, strict=True)
    ]


def credited(
    amount: int, left: int, taxes: Sequence[dict[str, Any]], earlier: Sequence[Sequence[dict[str, Any]]] = ()
) -> list[dict[str, Any]]:
    """The tax lines of a credit note of `amount`, of an invoice with the lines `taxes` of which `left` is not credited.

    `earlier` are the tax lines of the credit notes before it. Whatever the amounts and their order, no line is below
    zero, net and taxes add up to `amount`, no line in sum exceeds that of the invoice, and the last note takes the
    rest. Equal taxes (CGST and SGST) get equal parts as long as there is net amount left to even them out.
    """
    rest = [
        tax["amount_minor"] - sum(note[place]["amount_minor"] for note in earlier) for place, tax in enumerate(taxes)
    ]
    net = max(0, left - sum(rest))  # notes of before 0.1.0 may have credited more net than there was
    first, *parts = apportion(amount, [net, *rest])
    if len(set(rest)) == 1:
        even = min(parts)
        if first + sum(parts) - even * len(parts) <= net:
            parts = [even] * len(parts)
    return [
        {"name": tax["name"], "rate_points": tax["rate_points"], "amount_minor": part}
        for tax, part in zip(taxes, parts, strict=True)
    ]


def treat(settings: InvoiceSettings, buyer: dict[str, str], currency: str) -> Treatment:
    """How a sale to `buyer` in `currency` is taxed."""
    if settings.invoice_seller_gstin:
        return _goods_and_services(settings, buyer, currency)
    if settings.invoice_seller_vat_id:
        return _value_added(settings, buyer)
    return Treatment("none")


def _goods_and_services(settings: InvoiceSettings, buyer: dict[str, str], currency: str) -> Treatment:
    rate = percent_to_points(settings.invoice_gst_rate)
    country = buyer["country"] or "IN"  # without a country, the place of supply is the seller's
    if country != "IN":
        if currency == "INR":  # not paid in foreign exchange: no export, wherever the buyer lives
            return Treatment("igst", (("IGST", rate),))
        under = f" under letter of undertaking {settings.invoice_lut}" if settings.invoice_lut else ""
        note = f"Supply meant for export{under} without payment of integrated tax."
        return Treatment("export", (("IGST", 0),), (note,))
    state = (buyer["gstin"] or buyer["state"])[:2] or settings.state
    if state != settings.state:
        return Treatment("igst", (("IGST", rate),))
    local = "UTGST" if state in WITHOUT_LEGISLATURE else "SGST"
    return Treatment("cgst_sgst", (("CGST", rate // 2), (local, rate // 2)))


def _value_added(settings: InvoiceSettings, buyer: dict[str, str]) -> Treatment:
    country = buyer["country"] or settings.country
    abroad = country != settings.country and {country, settings.country} <= EUROPEAN_UNION
    if abroad and buyer["vat_id"] and settings.invoice_reverse_charge:
        return Treatment("reverse_charge", (("VAT", 0),), ("Reverse charge: VAT is due from the recipient.",))
    rate = settings.invoice_vat_rates.get(country)
    if rate is None:
        return Treatment("outside_scope", (("VAT", 0),), (f"No VAT of {settings.country} is due on this supply.",))
    return Treatment("vat", (("VAT", percent_to_points(rate)),))
