"""Money is booked whatever becomes of its documents; a fact that cannot be booked does not hold up the others."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update
from tests.billing.conftest import available, buy, press, quiet, rows
from tests.helpers.server import Hortus

from hortus.billing.checkout.service import expire_checkouts
from hortus.billing.tables import Checkout
from hortus.core import clock
from hortus.payments.sandbox import simulator

CREDIT = 1_000_000
MUMBAI = "27AAPFU0939F1ZV"


@pytest.fixture
def seller(monkeypatch: pytest.MonkeyPatch) -> None:
    """A seller who is registered for Indian GST."""
    monkeypatch.setenv("INVOICE_SELLER_GSTIN", MUMBAI)


async def forbid(hortus: Hortus, table: str, condition: str = "1 = 1", on: str = "INSERT") -> None:
    """Let the database refuse rows of a table, as a constraint that somebody forgot would."""
    begins = f"CREATE TRIGGER refused BEFORE {on} ON {table}"
    refuses = "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$ LANGUAGE plpgsql"
    statements: Sequence[str] = (f"{begins} WHEN {condition} BEGIN SELECT RAISE(ABORT, 'refused'); END",)
    if hortus.database.dialect == "postgresql":
        statements = (refuses, f"{begins} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse()")
    async with hortus.database.transaction() as tx:
        for statement in statements:
            await tx.execute(text(statement))


async def allow(hortus: Hortus, table: str) -> None:
    """Take the refusal back."""
    of_table = f" ON {table}" if hortus.database.dialect == "postgresql" else ""
    async with hortus.database.transaction() as tx:
        await tx.execute(text(f"DROP TRIGGER refused{of_table}"))


async def until(hortus: Hortus, query: str, expected: list[tuple], seconds: float = 60.0) -> None:
    """Wait until a query answers so."""
    found: list[tuple] = []
    try:
        async with asyncio.timeout(seconds):
            while (found := [tuple(row) for row in await rows(hortus, query)]) != expected:
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(found) from None


async def hurry(hortus: Hortus) -> None:
    """Let tasks that wait for their next attempt run now."""
    async with hortus.database.transaction() as tx:
        await tx.execute(text("UPDATE tasks SET run_at = created_at WHERE status = 'queued'"))


async def bought(hortus: Hortus, client) -> dict:
    order = await buy(client, "/api/payment/topup", pack="small", currency="INR")
    await press(client, order, "pay")
    return order


async def test_the_last_paisa_can_be_refunded(seller, hortus: Hortus):
    customer, root = await hortus.customer(), await hortus.staff("admin")
    before = await available(customer)
    order = await buy(customer, "/api/payment/topup", amount_minor=50_07, currency="INR")
    await press(customer, order, "pay")
    await quiet(hortus)
    ((payment_id,),) = await rows(hortus, "SELECT id FROM payments")
    for amount in (6, 1, 33_33, 16_67):
        body = {"amount_minor": amount, "reason": "asked"}
        answer = await root.post(f"/api/admin/payments/{payment_id}/refund", json=body)
        assert answer.status_code == 200, answer.text
    await quiet(hortus)
    assert await available(customer) == before
    documents = (await customer.get("/api/payment/invoices")).json()["items"]
    notes = [document for document in documents if document["kind"] == "credit_note"]
    (invoice,) = [document for document in documents if document["kind"] == "invoice"]
    assert sorted(note["total_minor"] for note in notes) == [1, 6, 16_67, 33_33]
    for part in ("net_minor", "tax_minor", "total_minor"):
        assert all(note[part] >= 0 for note in notes)
        assert sum(note[part] for note in notes) == invoice[part]


async def test_a_document_that_cannot_be_issued_holds_up_no_money(hortus: Hortus):
    customer = await hortus.customer()
    before = await available(customer)
    await forbid(hortus, "invoices")
    order = await bought(hortus, customer)
    await until(hortus, "SELECT kind, credits FROM payments", [("topup", 100 * CREDIT)])
    await press(customer, order, "chargeback")
    await until(hortus, "SELECT status FROM disputes", [("open",)])
    await press(customer, order, "lose-dispute")
    await until(hortus, "SELECT status FROM disputes", [("lost",)])
    assert await available(customer) == before
    await press(customer, order, "refund")
    await until(hortus, "SELECT count(*) FROM refunds", [(1,)])
    assert await rows(hortus, "SELECT id FROM webhook_events WHERE status <> 'processed'") == []
    assert await rows(hortus, "SELECT id FROM invoices") == []
    async with hortus.database.transaction() as tx:
        dead = "UPDATE tasks SET attempts = max_attempts - 1, run_at = created_at WHERE name = 'billing.document'"
        await tx.execute(text(dead))
    await until(hortus, "SELECT status FROM tasks WHERE name = 'billing.document'", [("dead",)] * 3)

    await allow(hortus, "invoices")
    root = await hortus.staff("admin")
    for (task_id,) in await rows(hortus, "SELECT id FROM tasks WHERE name = 'billing.document' ORDER BY id DESC"):
        answer = await root.post(f"/api/admin/tasks/{task_id}/requeue", json={"reason": "mended"})
        assert answer.status_code == 200, answer.text
    await quiet(hortus)
    documents = await rows(hortus, "SELECT kind, total_minor, number FROM invoices ORDER BY kind")
    assert [tuple(document)[:2] for document in documents] == [("credit_note", 99_00), ("invoice", 99_00)]
    assert {number.rsplit("-", 1)[1] for _, _, number in documents} == {"000001"}


async def test_a_fact_that_cannot_be_booked_holds_up_no_other_of_its_payment(hortus: Hortus):
    customer, root = await hortus.customer(), await hortus.staff("admin")
    before = await available(customer)
    order = await bought(hortus, customer)
    await quiet(hortus)
    await forbid(hortus, "refunds", "NEW.amount_minor = 700")
    ((payment_id,),) = await rows(hortus, "SELECT id FROM payments")
    body = {"amount_minor": 700, "reason": "asked"}
    assert (await root.post(f"/api/admin/payments/{payment_id}/refund", json=body)).status_code == 500
    await press(customer, order, "chargeback")
    await until(hortus, "SELECT status FROM disputes", [("open",)])
    assert await available(customer) == before
    waiting = await rows(hortus, "SELECT kind FROM webhook_events WHERE status = 'pending'")
    assert {kind for (kind,) in waiting} == {"payment.refunded", "dispute.opened"}
    await allow(hortus, "refunds")
    await hurry(hortus)
    await until(hortus, "SELECT amount_minor FROM refunds", [(700,)])
    await quiet(hortus)


async def test_an_order_that_cannot_be_closed_holds_up_no_other_sweep(hortus: Hortus):
    customer = await hortus.customer()
    orders = [await buy(customer, "/api/payment/topup", pack="small", currency="INR") for _ in range(3)]
    stuck, free, paid = (order["checkout_id"] for order in orders)
    async with hortus.database.transaction() as tx:
        days = iter((9, 8, 7))
        for checkout_id in (stuck, free, paid):
            made = clock.now() - timedelta(days=next(days))
            await tx.execute(update(Checkout).where(Checkout.id == checkout_id).values(created_at=made))
        await simulator.pay(
            tx, (await tx.execute(select(Checkout.external_id).where(Checkout.id == paid))).scalar_one()
        )
    await forbid(hortus, "checkouts", f"OLD.id = '{stuck}'", on="UPDATE")
    await expire_checkouts(hortus.resources)
    states = "SELECT status FROM checkouts ORDER BY created_at"
    await until(hortus, states, [("open",), ("expired",), ("paid",)])
    await allow(hortus, "checkouts")
    await expire_checkouts(hortus.resources)
    await until(hortus, states, [("expired",), ("expired",), ("paid",)])
