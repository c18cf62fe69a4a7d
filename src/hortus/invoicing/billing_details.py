"""Billing details: the buyer that future invoices show."""

from sqlalchemy import select

from hortus.core import clock
from hortus.core.db import Tx
from hortus.invoicing.tables import BillingDetails


async def details_of(tx: Tx, user_id: str) -> BillingDetails | None:
    """The billing details of a user; None if they were never set."""
    query = select(BillingDetails).where(BillingDetails.user_id == user_id)
    return (await tx.execute(query)).scalar_one_or_none()


async def set_details(tx: Tx, user_id: str, details: dict[str, str | None]) -> None:
    """Replace all billing details. Invoices that were issued stay as they are."""
    row = details | {"updated_at": clock.now()}
    made = tx.insert(BillingDetails).values(user_id=user_id, **row)
    await tx.execute(made.on_conflict_do_update(index_elements=["user_id"], set_=row))
