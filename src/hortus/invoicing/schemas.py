"""Schemas of billing details, invoices and credit notes."""

from datetime import date
from functools import cache
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

from hortus.core.schemas import Body, Line, Lines, Time
from hortus.invoicing import tax_ids
from hortus.invoicing.states import code_of, name_of
from hortus.invoicing.tables import BillingDetails, Invoice

Country = Annotated[
    str, StringConstraints(strip_whitespace=True, to_upper=True, max_length=2, pattern=r"^[A-Za-z]{2}$")
]
_NO_COUNTRY = frozenset(("EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"))


@cache
def _countries() -> frozenset[str]:
    from babel import Locale  # noqa: PLC0415 - four MB, loaded when billing details are first set

    return frozenset(str(code) for code in Locale("en").territories if str(code).isalpha()) - _NO_COUNTRY


class DetailsIn(Body):
    """The buyer on future invoices. In India `state` is a state's name, letters or code, optional with a GSTIN."""

    name: Annotated[str, Field(min_length=1, max_length=200), Line]
    address: Annotated[str, StringConstraints(max_length=500), Lines] = ""
    country: Country
    state: Annotated[str, Field(max_length=80), Line] = ""
    gstin: Annotated[str, StringConstraints(max_length=40)] | None = None
    vat_id: Annotated[str, StringConstraints(max_length=40)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> "DetailsIn":
        if self.country not in _countries():
            raise ValueError("`country` is no country such as IN or DE")
        if self.gstin and self.country != "IN":
            raise ValueError("`gstin` is for buyers in India")
        if self.vat_id and self.country == "IN":
            raise ValueError("in India give `gstin` instead of `vat_id`")
        if self.country == "IN":
            self._in_india()
        try:
            self.vat_id = tax_ids.vat_id(self.vat_id, self.country) if self.vat_id else None
        except ValueError as error:
            raise ValueError(f"`vat_id` {error}") from None
        return self

    def _in_india(self) -> None:
        try:
            self.gstin = tax_ids.gstin(self.gstin) if self.gstin else None
        except ValueError as error:
            raise ValueError(f"`gstin` {error}") from None
        code = code_of(self.state) if self.state else (self.gstin or "")[:2]
        if code is None:
            raise ValueError("`state` is no state of India")
        if self.gstin and code != self.gstin[:2]:
            raise ValueError("`state` is not the one that `gstin` begins with")
        self.state = code


class DetailsOut(BaseModel):
    """The buyer on future invoices; all null before the details were first set."""

    name: str | None = None
    address: str | None = None
    country: str | None = None
    state: str | None = None
    state_name: str | None = None
    gstin: str | None = None
    vat_id: str | None = None
    updated_at: Time | None = None

    @classmethod
    def of(cls, row: BillingDetails | None) -> "DetailsOut":
        """From the row, if there is one."""
        if row is None:
            return cls()
        shown = cls.model_validate(row, from_attributes=True)
        if row.country == "IN" and row.state:
            shown.state_name = name_of(row.state)
        return shown


class TaxOut(BaseModel):
    """One tax inside the total."""

    name: str
    rate: str = Field(description="Percent")
    base_minor: int
    amount_minor: int


class LineOut(BaseModel):
    """One item."""

    title: str
    period_start: date | None
    period_end: date | None
    tax_code: str | None = Field(description="HSN or SAC, where Indian tax is charged")
    quantity: int
    net_minor: int


class InvoiceOut(BaseModel):
    """An invoice or credit note. A credit note reverses `total_minor` of the invoice `corrects_id`.

    With `sandbox` it documents a payment without real money.
    """

    id: str
    kind: Literal["invoice", "credit_note"]
    number: str
    issued_on: date
    issued_at: Time
    sandbox: bool
    payment_id: str
    corrects_id: str | None
    currency: str
    net_minor: int
    tax_minor: int
    total_minor: int
    treatment: str
    taxes: list[TaxOut]
    lines: list[LineOut]
    notes: list[str]
    seller: dict[str, str]
    buyer: dict[str, str]

    @classmethod
    def of(cls, row: Invoice) -> "InvoiceOut":
        """From the row."""
        return cls.model_validate(row, from_attributes=True)
