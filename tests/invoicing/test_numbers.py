"""Numbers without a gap, whatever happens at once and whatever is rolled back."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from hortus.accounts.tables import User
from hortus.billing import apply_events
from hortus.billing.payments.documents import issue
from hortus.billing.tables import Checkout, Payment
from hortus.core import clock, ids
from hortus.core.db import Database
from hortus.invoicing.tables import Invoice
from hortus.payments import CheckoutPaid, Disputed, Paid, Refunded
from hortus.tasks.tables import Task

MANY = 200
PRICE = 118_01


class Stopped(Exception):
    """What a transaction is rolled back by."""


async def person(database: Database) -> str:
    user_id = ids.new()
    row = {"id": user_id, "role": "user", "status": "active", "created_at": clock.now(), "updated_at": clock.now()}
    async with database.transaction() as tx:
        columns = {column.name: None for column in User.__table__.columns if column.nullable}
        await tx.execute(insert(User).values(**columns | row | {"name": "Asha", "marketing_consent": False}))
    return user_id


async def orders(database: Database, user_id: str, count: int, *, gateway: str = "stripe") -> list[str]:
    now = clock.now()
    rows = [
        {
            "id": ids.new(), "user_id": user_id, "gateway": gateway, "external_id": None, "kind": "topup",
            "title": "100 credits", "credits": 0, "amount_minor": PRICE + number, "discount_minor": 0,
            "currency": "INR", "trial_days": 0, "status": "open", "created_at": now,
        }
        for number in range(count)
    ]  # fmt: skip
    async with database.transaction() as tx:
        await tx.execute(insert(Checkout), rows)
    return [str(row["id"]) for row in rows]


def paid(reference: str, amount: int) -> CheckoutPaid:
    return CheckoutPaid(reference, Paid(f"pay_{reference}", amount, "INR", datetime.now(UTC)))


async def take(database: Database, *events, gateway: str = "stripe") -> None:
    async with database.transaction() as tx:
        await apply_events(tx, gateway, list(events), clock.now())


async def requested(database: Database) -> list[dict[str, str]]:
    """The documents that wait to be issued, in the order of their requests."""
    waiting = select(Task.payload).where(Task.name == "billing.document", Task.status == "queued").order_by(Task.id)
    async with database.snapshot() as tx:
        return list((await tx.execute(waiting)).scalars())


async def issue_all(database: Database) -> None:
    """Do what a worker does with the documents that wait."""
    for document in await requested(database):
        async with database.transaction() as tx:
            await issue(tx, document["source"], document["id"])


async def documents_in(database: Database) -> list[Invoice]:
    async with database.snapshot() as tx:
        return list((await tx.execute(select(Invoice).order_by(Invoice.series, Invoice.position))).scalars())


async def test_two_hundred_payments_at_once_get_the_numbers_from_1_to_200(database: Database):
    user_id = await person(database)
    opened = await orders(database, user_id, MANY)

    limit = asyncio.Semaphore(20)

    async def pay(number: int, reference: str) -> None:
        async with limit:
            await asyncio.gather(*(take(database, paid(reference, PRICE + number)) for _ in range(1 + number % 2)))

    await asyncio.gather(*(pay(number, reference) for number, reference in enumerate(opened)))
    documents = await requested(database)
    assert len(documents) == MANY

    async def write(number: int, *, stop: bool = False) -> None:
        async with database.transaction() as tx:
            await issue(tx, documents[number]["source"], documents[number]["id"])
            if stop:
                raise Stopped

    async def one(number: int) -> None:
        async with limit:
            if number % 3 == 0:
                with pytest.raises(Stopped):
                    await write(number, stop=True)
            await asyncio.gather(*(write(number) for _ in range(1 + number % 2)))

    await asyncio.gather(*(one(number) for number in range(MANY)))
    written = await documents_in(database)
    assert [document.position for document in written] == list(range(1, MANY + 1))
    assert len({document.number for document in written}) == MANY
    assert all(len(document.number) <= 16 for document in written)
    async with database.snapshot() as tx:
        amounts = {row.id: row.amount_minor for row in await tx.execute(select(Payment.id, Payment.amount_minor))}
    assert {document.payment_id: document.total_minor for document in written} == amounts


async def test_refunds_and_a_lost_dispute_take_no_more_back_than_was_paid(database: Database):
    (reference,) = await orders(database, await person(database), 1)
    news = paid(reference, PRICE)
    external_id = news.payment.external_id
    at = datetime.now(UTC)
    refunds = [Refunded(f"re_{number}", external_id, 4000, "INR", at) for number in range(2)]
    opened = Disputed("dp_1", external_id, PRICE, "INR", "open", at)
    lost = Disputed("dp_1", external_id, PRICE, "INR", "lost", at)
    for _ in range(3):
        await take(database, news, *refunds, opened)
        await issue_all(database)
    assert [document.kind for document in await documents_in(database)] == ["credit_note", "credit_note", "invoice"]
    for _ in range(3):
        await take(database, news, *refunds, lost)
        await issue_all(database)
    *notes, invoice = await documents_in(database)
    assert [note.total_minor for note in notes] == [4000, 4000, PRICE - 8000]
    assert [note.position for note in notes] == [1, 2, 3]
    assert {note.corrects_id for note in notes} == {invoice.id}
    assert sum(note.tax_minor for note in notes) == invoice.tax_minor


async def test_sandbox_payments_have_a_series_of_their_own(database: Database):
    user_id = await person(database)
    for gateway in ("sandbox", "stripe"):
        (reference,) = await orders(database, user_id, 1, gateway=gateway)
        await take(database, paid(reference, PRICE), gateway=gateway)
    await issue_all(database)
    assert [(document.sandbox, document.position) for document in await documents_in(database)] == [
        (False, 1),
        (True, 1),
    ]


async def test_what_fits_no_order_gets_no_paper(database: Database):
    (reference,) = await orders(database, await person(database), 1)
    await take(database, paid(reference, PRICE - 1))
    await issue_all(database)
    assert await documents_in(database) == []


@pytest.mark.parametrize("deed", ["UPDATE invoices SET total_minor = 1", "DELETE FROM invoices"])
async def test_nobody_changes_a_paper(database: Database, deed: str):
    (reference,) = await orders(database, await person(database), 1)
    await take(database, paid(reference, PRICE))
    await issue_all(database)
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.transaction() as tx:
            await tx.execute(text(deed))
