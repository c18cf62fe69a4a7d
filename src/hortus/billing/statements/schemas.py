"""Schemas of the monthly statement."""

from typing import Literal

from pydantic import BaseModel

from hortus.core.schemas import MicroCredits, Time


class MoneyOut(BaseModel):
    """One currency's month: what was paid, what went back, and the difference."""

    currency: str
    paid_minor: int
    returned_minor: int
    tax_minor: int
    net_minor: int


class MovementOut(BaseModel):
    """The ledger entries of one kind in the month; credits received are positive."""

    kind: str
    count: int
    amount: MicroCredits


class KeyMonthOut(BaseModel):
    """One API key in the month: accepted calls, how many failed, and credits used or reserved."""

    id: str
    name: str
    prefix: str
    calls: int
    failures: int
    credits: MicroCredits


class StatementDocumentOut(BaseModel):
    """An invoice or credit note of the month, in short."""

    id: str
    kind: Literal["invoice", "credit_note"]
    number: str
    issued_at: Time
    currency: str
    total_minor: int
    tax_minor: int


class StatementOut(BaseModel):
    """One calendar month of a customer, in the time zone of quotas."""

    month: str
    starts_at: Time
    ends_at: Time
    money: list[MoneyOut]
    documents: list[StatementDocumentOut]
    credits: list[MovementOut]
    keys: list[KeyMonthOut]
