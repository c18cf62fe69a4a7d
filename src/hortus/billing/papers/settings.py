"""Who sells, and which taxes are inside the prices."""

import re
from datetime import date
from functools import cached_property
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hortus.billing.papers import tax_ids
from hortus.billing.papers.states import code_of, name_of
from hortus.core.money import percent_to_points


class InvoiceSettings(BaseSettings):
    """`INVOICE_…`. With a GSTIN papers bear Indian GST, otherwise with a VAT id they bear VAT, otherwise no tax."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", populate_by_name=True)

    invoice_seller_name: str = Field("Hortus", max_length=200)
    invoice_seller_address: str = Field("", max_length=500)
    """Lines are separated by `;` or new lines."""
    invoice_seller_country: str = Field("", pattern=r"^([A-Z]{2})?$")
    invoice_seller_state: str = Field("", max_length=80)
    invoice_seller_gstin: str = ""
    invoice_seller_vat_id: str = ""
    invoice_seller_email: str = Field("", max_length=254)
    invoice_prefix: str = Field("INV", pattern=r"^[A-Z0-9]{1,3}$")
    invoice_credit_prefix: str = Field("CRN", pattern=r"^[A-Z0-9]{1,3}$")
    invoice_tax_code: str = Field("998439", pattern=r"^[0-9]{2,8}$")
    """The HSN or SAC code of what is sold: other on-line contents."""
    invoice_gst_rate: str = "18"
    invoice_lut: str = Field("", max_length=40)
    """The letter of undertaking under which services are exported without paying the tax first."""
    invoice_vat_rates: dict[str, str] = Field(default_factory=dict)
    """Percent by the buyer's country, such as `{"DE": "19", "FR": "20"}`; where nothing is said, no VAT."""
    invoice_reverse_charge: bool = False
    """Whether a VAT id from another country of the EU moves the tax to the buyer. Check ids at VIES first."""
    invoice_year_start: int = Field(0, ge=0, le=12)
    """The month in which numbers begin anew; 0 is April in India and January elsewhere."""
    invoice_timezone: str = ""
    """Whose calendar dates papers; that of quotas unless set."""
    invoice_footer: str = Field("", max_length=300)
    quota_timezone: str = "UTC"

    @field_validator("invoice_seller_country", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.strip().upper() if isinstance(value, str) else value

    @field_validator("invoice_seller_gstin")
    @classmethod
    def _gstin(cls, value: str) -> str:
        return tax_ids.gstin(value) if value else ""

    @field_validator("invoice_seller_vat_id")
    @classmethod
    def _vat_id(cls, value: str) -> str:
        return tax_ids.vat_id(value) if value else ""

    @field_validator("invoice_gst_rate")
    @classmethod
    def _rate(cls, value: str) -> str:
        if percent_to_points(value) % 2:
            raise ValueError("must be halved between centre and state without a rest")
        return value

    @field_validator("invoice_vat_rates")
    @classmethod
    def _rates(cls, value: dict[str, str]) -> dict[str, str]:
        for country, rate in value.items():
            if not re.fullmatch(r"[A-Z]{2}", country):
                raise ValueError(f"{country!r} is no country such as DE")
            percent_to_points(rate)
        return value

    @field_validator("invoice_timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        ZoneInfo(value or "UTC")
        return value

    @cached_property
    def zone(self) -> ZoneInfo:
        """The calendar of papers."""
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
        """The seller as papers show it."""
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
