"""What a customer wants to read as the buyer on papers to come."""

from sqlalchemy import delete, select

from hortus.billing.papers.tables import BillingDetails
from hortus.core import clock
from hortus.core.db import Tx


async def details_of(tx: Tx, user_id: str) -> BillingDetails | None:
    """What the user has set; None when they never did."""
    query = select(BillingDetails).where(BillingDetails.user_id == user_id)
    return (await tx.execute(query)).scalar_one_or_none()


async def set_details(tx: Tx, user_id: str, details: dict[str, str | None]) -> None:
    """Set all of it. Papers that were given out stay as they are."""
    row = details | {"updated_at": clock.now()}
    made = tx.insert(BillingDetails).values(user_id=user_id, **row)
    await tx.execute(made.on_conflict_do_update(index_elements=["user_id"], set_=row))


async def forget_details(tx: Tx, user_id: str) -> bool:
    """Erase what the user has set; whether there was anything. Papers are kept, as the law asks."""
    gone = delete(BillingDetails).where(BillingDetails.user_id == user_id).returning(BillingDetails.user_id)
    return (await tx.execute(gone)).first() is not None
