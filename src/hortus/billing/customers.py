"""Gateway customers: the external id of a user at each gateway, and the buyer of a checkout."""

from sqlalchemy import select

from hortus import accounts
from hortus.billing.tables import Customer
from hortus.core.db import Tx
from hortus.payments import Buyer, Gateway


async def user_of_customer(tx: Tx, gateway: str, customer: str | None) -> str | None:
    """The user with that external customer id; None if unknown."""
    query = select(Customer.user_id).where(Customer.gateway == gateway, Customer.external_id == customer)
    return (await tx.execute(query)).scalar_one_or_none()


async def keep_customer(tx: Tx, user_id: str, gateway: str, external_id: str) -> None:
    """Store the external customer id of a user, unless one is stored."""
    await tx.execute(
        tx.insert(Customer).values(user_id=user_id, gateway=gateway, external_id=external_id).on_conflict_do_nothing()
    )


async def buyer_of(tx: Tx, gateway: Gateway, user_id: str) -> Buyer:
    """The data of a user that is sent to the gateway."""
    person = await accounts.profile_of(tx, user_id)
    query = select(Customer.external_id).where(Customer.user_id == user_id, Customer.gateway == gateway.id)
    customer = (await tx.execute(query)).scalar_one_or_none()
    return Buyer(user_id, person.email, person.mobile_number, person.name, customer)
