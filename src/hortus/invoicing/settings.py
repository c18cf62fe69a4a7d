"""Settings of the seller and of the taxes that prices include."""

import re
from datetime import date
from functools import cached_property
from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from hortus.core.configuration import Configuration, Json, Rule, SettingsGroup, TimeZone
from hortus.core.money import percent_to_points
from hortus.invoicing import tax_ids
from hortus.invoicing.states import code_of, name_of


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


def _gstin(value: str) -> str:
    return tax_ids.gstin(value) if value else ""


def _vat_id(value: str) -> str:
    return tax_ids.vat_id(value) if value else ""


def _percent(value: str) -> str:
    percent_to_points(value)
    return value


def _percent_of_gst(value: str) -> str:
    if percent_to_points(value) % 2:
        raise ValueError("must be halved between centre and state without a rest")
    return value


_NUMBER_PREFIX = Rule("one to three capital letters or digits")


class InvoiceSettings(SettingsGroup):
    """`INVOICE_…`. With a GSTIN invoices show Indian GST, otherwise with a VAT id VAT, otherwise no tax."""

    heading: ClassVar[str] = "Invoices"

    invoice_seller_name: str = Field("Hortus", max_length=200)
    """The name of the seller on invoices."""
    invoice_seller_address: str = Field("", max_length=500)
    """Lines are separated by `;` or new lines."""
    invoice_seller_country: Annotated[
        str, BeforeValidator(_upper), Field(pattern=r"^([A-Z]{2})?$"), Rule("a country of two letters, such as IN")
    ] = ""
    """The country of the seller; not needed with a GSTIN or VAT id."""
    invoice_seller_state: str = Field("", max_length=80)
    """The seller's state in India; not needed with a GSTIN."""
    invoice_seller_gstin: Annotated[
        str, AfterValidator(_gstin), Rule("a GSTIN of 15 characters whose check character is right")
    ] = ""
    """With a GSTIN, invoices show Indian GST."""
    invoice_seller_vat_id: Annotated[
        str, AfterValidator(_vat_id), Rule("a VAT id with its country's letters, such as DE123456789")
    ] = ""
    """With a VAT id and no GSTIN, invoices show VAT."""
    invoice_seller_email: str = Field("", max_length=254)
    """The seller's address on invoices."""
    invoice_prefix: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,3}$"), _NUMBER_PREFIX] = "INV"
    """The beginning of invoice numbers."""
    invoice_credit_prefix: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,3}$"), _NUMBER_PREFIX] = "CRN"
    """The beginning of credit note numbers."""
    invoice_tax_code: Annotated[str, Field(pattern=r"^[0-9]{2,8}$"), Rule("two to eight digits")] = "998439"
    """The HSN or SAC code of the service: other on-line contents."""
    invoice_gst_rate: Annotated[
        str, AfterValidator(_percent_of_gst), Rule("a percentage that can be halved, such as 18")
    ] = "18"
    """The rate of GST in percent."""
    invoice_lut: str = Field("", max_length=40)
    """The letter of undertaking under which services are exported without paying the tax first."""
    invoice_vat_rates: Annotated[
        dict[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], Annotated[str, AfterValidator(_percent)]],
        *Json,
        Rule('a JSON object of percentages by country, such as {"DE": "19"}'),
    ] = Field(default_factory=dict)
    """Percent by the buyer's country, such as `{"DE": "19", "FR": "20"}`; countries that are not listed have no VAT."""
    invoice_reverse_charge: bool = False
    """Reverse charge for buyers with a VAT id of another EU country. Check ids at VIES first."""
    invoice_year_start: int = Field(0, ge=0, le=12)
    """The month in which numbers restart; 0 is April in India and January elsewhere."""
    invoice_timezone: TimeZone = ""
    """The time zone of invoice dates; that of quotas unless set."""
    invoice_footer: str = Field("", max_length=300)
    """A line at the foot of every invoice."""
    quota_timezone: TimeZone = "UTC"
    """The calendar of daily and monthly limits."""

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of invoice dates."""
        return ZoneInfo(self.invoice_timezone or self.quota_timezone)

    @property
    def country(self) -> str:
        """Where the seller is."""
        if self.invoice_seller_gstin:
            return "IN"
        letters = self.invoice_seller_vat_id[:2]
        return self.invoice_seller_country or {"EL": "GR", "XI": "GB"}.get(letters, letters)

    @property
    def state(self) -> str:
        """The code of the seller's state in India, otherwise the state as it was given."""
        if self.invoice_seller_gstin:
            return self.invoice_seller_gstin[:2]
        return (self.country == "IN" and code_of(self.invoice_seller_state)) or self.invoice_seller_state

    def year_of(self, day: date) -> str:
        """The year of numbers that a day is in: `2026`, or `2627` where it begins within a calendar year."""
        first = self.invoice_year_start or (4 if self.country == "IN" else 1)
        year = day.year if day.month >= first else day.year - 1
        return str(year) if first == 1 else f"{year % 100:02d}{(year + 1) % 100:02d}"

    def seller(self) -> dict[str, str]:
        """The seller as invoices show it."""
        state = name_of(self.state) if self.country == "IN" and self.state.isdigit() else self.state
        lines = [line.strip() for line in re.split(r"[;\n]", self.invoice_seller_address) if line.strip()]
        return {
            "name": self.invoice_seller_name,
            "address": "\n".join(lines),
            "country": self.country,
            "state": state,
            "gstin": self.invoice_seller_gstin,
            "vat_id": self.invoice_seller_vat_id,
            "email": self.invoice_seller_email,
            "footer": self.invoice_footer,
        }


def seller_name(configuration: Configuration) -> str:
    """The name of the seller on invoices; empty if it is not set."""
    return configuration.get(InvoiceSettings).invoice_seller_name
