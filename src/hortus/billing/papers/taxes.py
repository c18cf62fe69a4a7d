"""Which taxes are inside an amount. Prices include them: what was paid is what the paper adds up to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hortus.billing.papers.settings import InvoiceSettings
from hortus.billing.papers.states import WITHOUT_LEGISLATURE
from hortus.billing.papers.tax_ids import EUROPEAN_UNION
from hortus.core.money import percent_to_points, shares_of


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a sale is taxed: a word, (name, basis points) of each tax, and what the paper must say about it."""

    name: str
    rates: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self, gross: int) -> list[dict[str, Any]]:
        """The tax lines inside `gross`."""
        return tax_lines(gross, self.rates)


def tax_lines(gross: int, rates: Sequence[tuple[str, int]], before: int = 0) -> list[dict[str, Any]]:
    """The tax lines inside `gross`, of which `before` is on other papers: parts of one whole add up to its taxes."""
    points = [rate for _name, rate in rates]
    now, then = shares_of(before + gross, points), shares_of(before, points)
    return [
        {"name": name, "rate_points": rate, "amount_minor": amount - earlier}
        for (name, rate), amount, earlier in zip(rates, now, then, strict=True)
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
    country = buyer["country"] or "IN"  # whoever did not say is supplied where the seller is
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
