"""Money that arrives is booked, shown, counted and can be dealt with, also where it fits no order."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.admin.conftest import audit_of, id_of
from tests.billing.conftest import available, buy, press, quiet, rows
from tests.helpers.server import Hortus

from hortus import billing
from hortus.core import clock, ids
from hortus.payments import CheckoutPaid, Paid, SubscriptionRenewed

CREDIT = 1_000_000
WHY = {"reason": "Seen at the gateway"}


async def book(hortus: Hortus, *events: Any, gateway: str = "sandbox") -> None:
    """What a gateway that was asked says is true."""
    async with hortus.database.transaction() as tx:
        await billing.apply_events(tx, gateway, events, clock.now())


def money(amount: int = 99_00, currency: str = "INR") -> Paid:
    return Paid(f"pay_{ids.new()}", amount, currency, datetime.now(UTC))


async def _without_an_order(hortus: Hortus, customer: Any) -> None:
    await book(hortus, CheckoutPaid(ids.new(), money()))


async def _at_another_gateway(hortus: Hortus, customer: Any) -> None:
    order = await buy(customer, "/api/payment/topup", pack="small", currency="INR")
    await book(hortus, CheckoutPaid(order["checkout_id"], money()), gateway="stripe")


async def _of_another_amount(hortus: Hortus, customer: Any) -> None:
    order = await buy(customer, "/api/payment/topup", pack="small", currency="INR")
    await book(hortus, CheckoutPaid(order["checkout_id"], money(98_00)))


async def _of_another_currency(hortus: Hortus, customer: Any) -> None:
    order = await buy(customer, "/api/payment/topup", pack="small", currency="INR")
    await book(hortus, CheckoutPaid(order["checkout_id"], money(99_00, "USD")))


async def _for_the_second_time(hortus: Hortus, customer: Any) -> None:
    order = await buy(customer, "/api/payment/topup", pack="small", currency="INR")
    await press(customer, order, "pay")
    await quiet(hortus)
    await book(hortus, CheckoutPaid(order["checkout_id"], money()))


async def _of_a_plan_as_if_it_were_credit(hortus: Hortus, customer: Any) -> None:
    order = await buy(customer, plan="pro", currency="INR")
    await book(hortus, CheckoutPaid(order["checkout_id"], money(500_00)))


async def _after_the_account_was_deleted(hortus: Hortus, customer: Any) -> None:
    order = await buy(customer, "/api/payment/topup", pack="small", currency="INR")
    async with hortus.database.transaction() as tx:
        gone = text("UPDATE users SET status = 'deleted' WHERE id = :id")
        await tx.execute(gone, {"id": id_of(customer)})
    await book(hortus, CheckoutPaid(order["checkout_id"], money()))


async def _of_a_period_without_a_subscription(hortus: Hortus, customer: Any) -> None:
    now = datetime.now(UTC)
    await book(hortus, SubscriptionRenewed("sub_1", ids.new(), money(), "price_1", now, now + timedelta(days=30)))


WAYS = {name.removeprefix("_"): way for name, way in list(globals().items()) if re.match(r"_[a-z]+_", name)}


@pytest.mark.parametrize("way", WAYS)
async def test_money_that_fits_no_order_is_seen(hortus: Hortus, way: str):
    customer, root = await hortus.customer(), await hortus.staff("admin")
    await WAYS[way](hortus, customer)
    listed = (await root.get("/api/admin/payments", params={"status": "unmatched"})).json()["items"]
    assert [(each["status"], each["credits"]) for each in listed] == [("unmatched", "0")]
    assert "hortus_payments_unmatched 1.0" in (await root.get("/metrics")).text
    await quiet(hortus)
    assert await rows(hortus, "SELECT id FROM invoices WHERE payment_id = (SELECT id FROM payments WHERE kind = "
                            "'unmatched')") == []  # fmt: skip


async def test_somebody_elses_subscription_at_the_same_account_is_none_of_ours(hortus: Hortus):
    now = datetime.now(UTC)
    await book(hortus, SubscriptionRenewed("sub_1", None, money(), "price_1", now, now + timedelta(days=30)))
    assert await rows(hortus, "SELECT id FROM payments") == []


async def test_an_unmatched_payment_is_assigned_to_its_order_once(hortus: Hortus):
    customer, root = await hortus.customer(), await hortus.staff("admin")
    before = await available(customer)
    order = await buy(customer, "/api/payment/topup", pack="small", currency="INR")
    await book(hortus, CheckoutPaid(order["checkout_id"], money(98_00)), CheckoutPaid(ids.new(), money()))
    other, mine = (await root.get("/api/admin/payments", params={"status": "unmatched"})).json()["items"]
    assert (other["user_id"], mine["user_id"]) == (None, id_of(customer))
    path, body = f"/api/admin/payments/{mine['id']}/assign", {"checkout_id": order["checkout_id"], **WHY}
    assert (await root.post(path, json=body | {"user_id": id_of(customer)})).status_code == 422
    answer = await root.post(path, json=body)
    assert (answer.status_code, answer.json()["status"], answer.json()["kind"]) == (200, "paid", "topup"), answer.text
    assert await available(customer) == before + 100 * CREDIT
    assert (await root.post(path, json=body)).json()["code"] == "cannot_assign"
    again = f"/api/admin/payments/{other['id']}/assign"
    assert (await root.post(again, json=body)).json()["code"] == "cannot_assign"
    assert (await root.post(again, json={"user_id": id_of(customer), **WHY})).json()["kind"] == "topup"
    assert await available(customer) == before + 100 * CREDIT
    await quiet(hortus)
    documents = (await customer.get("/api/payment/invoices")).json()["items"]
    assert sorted(document["total_minor"] for document in documents) == [98_00, 99_00]
    assert "hortus_payments_unmatched 0.0" in (await root.get("/metrics")).text
    assert {event["action"] for event in await audit_of(root, target_id=mine["id"])} == {"payment.assigned"}
