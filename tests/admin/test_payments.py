"""Payments for administrators: search, refund once, replay, revenue; and the price list."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.admin.conftest import audit_of, id_of
from tests.billing.conftest import available, buy, press, quiet
from tests.helpers.server import Hortus

from hortus import admin
from hortus.core import clock, ids

WHY = {"reason": "The customer asked"}
CREDIT = 1_000_000


@pytest.fixture
def server_options() -> dict[str, Any]:
    return {"knows_its_port": True}


async def bought(hortus: Hortus, client, path: str = "/api/payment/topup", **body: str) -> dict:
    order = await buy(client, path, **body)
    await press(client, order, "pay")
    await quiet(hortus)
    return order


async def swept(hortus: Hortus) -> None:
    """Wait for the reconciliation that runs at start: the events it finds have no body."""
    done = text("SELECT 1 FROM tasks WHERE name = 'billing.reconcile' AND status = 'done'")
    async with asyncio.timeout(30):
        while True:
            async with hortus.database.snapshot() as tx:
                if (await tx.execute(done)).first() is not None:
                    return
            await asyncio.sleep(0.05)


async def payments(client, **filters: str) -> list[dict]:
    answer = await client.get("/api/admin/payments", params=filters)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def holds(hortus: Hortus) -> None:
    async with hortus.database.snapshot() as tx:
        assert (await admin.verify(tx)).broken == []


async def test_a_payment_is_found_and_given_back_once(hortus: Hortus, root):
    customer, other = await hortus.customer(), await hortus.customer()
    before = await available(customer)
    await bought(hortus, customer, pack="small", currency="INR")
    await bought(hortus, other, pack="small", currency="USD")
    (paid,) = await payments(root, user_id=id_of(customer))
    assert (paid["status"], paid["amount_minor"]) == ("paid", 99_00)
    assert await payments(root, external_id=paid["external_id"]) == [paid]
    assert [each["id"] for each in await payments(root, status="paid", until=clock.iso(clock.now()))][1] == paid["id"]
    assert await payments(root, since=clock.iso(clock.now() + timedelta(seconds=60))) == []
    page = (await root.get("/api/admin/payments", params={"limit": 1})).json()
    follows = (await root.get("/api/admin/payments", params={"limit": 1, "cursor": page["next_cursor"]})).json()
    assert (follows["items"], follows["next_cursor"]) == ([paid], None)

    path, key = f"/api/admin/payments/{paid['id']}/refund", {"Idempotency-Key": "one"}
    part = {"amount_minor": 33_00, **WHY}
    answers = await asyncio.gather(*(root.post(path, json=part, headers=key) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
    assert {answer.json()["refunded_minor"] for answer in answers} == {33_00}
    assert (await root.post(path, json=WHY, headers=key)).json()["code"] == "idempotency_mismatch"
    (given,) = await payments(root, status="partly_refunded")
    assert given["refunded_minor"] == 33_00
    whole = (await root.post(path, json=WHY, headers={"Idempotency-Key": "two"})).json()
    assert (whole["status"], whole["refunded_minor"]) == ("refunded", 99_00)
    await quiet(hortus)
    whole = (await root.get(f"/api/admin/payments/{paid['id']}")).json()
    assert [paper["kind"] for paper in whole["documents"]] == ["invoice", "credit_note", "credit_note"]
    assert [refund["amount_minor"] for refund in whole["refunds"]] == [33_00, 66_00]
    assert (await root.post(path, json=WHY)).json()["code"] == "cannot_refund"
    assert await available(customer) == before
    told = Counter(event["action"] for event in await audit_of(root, target_id=paid["id"]))
    assert told["payment.refund_requested"] >= 2
    assert told["payment.refunded"] >= 2
    await holds(hortus)


async def test_an_unmatched_payment_is_assigned_by_an_administrator(hortus: Hortus, root):
    customer = await hortus.customer()
    one, two = await buy(customer), await buy(customer, plan="pro", interval="year")
    await asyncio.gather(press(customer, one, "pay"), press(customer, two, "pay"))
    await quiet(hortus)
    found = [each for each in await payments(root) if each["kind"] == "unmatched"]
    assert [each["id"] for each in await payments(root, status="unmatched")] == [each["id"] for each in found]
    assert len(found) == 1


async def test_news_is_read_and_replayed_without_a_second_effect(hortus: Hortus, root):
    customer = await hortus.customer()
    await swept(hortus)
    await bought(hortus, customer, pack="small")
    has = await available(customer)
    listed = (await root.get("/api/admin/webhook-events", params={"status": "processed"})).json()["items"]
    assert listed
    path = f"/api/admin/webhook-events/{listed[0]['id']}"
    assert (await root.get(path)).json()["body"].startswith("{")
    again = await root.post(f"{path}/replay", json=WHY)
    assert (again.status_code, again.json()["status"]) == (200, "pending")
    await quiet(hortus)
    assert (await root.get(path)).json()["status"] == "processed"
    assert await available(customer) == has
    assert (await audit_of(root))[0]["action"] == "webhook_event.replayed"
    unknown = await root.post(f"/api/admin/webhook-events/{ids.new()}/replay", json=WHY)
    assert unknown.json()["code"] == "webhook_event_not_found"


async def test_revenue_and_margins_add_up(hortus: Hortus, root):
    month, year = await hortus.customer(), await hortus.customer()
    await bought(hortus, month, "/api/payment/subscription", plan="pro", currency="INR")
    gone = await bought(hortus, year, "/api/payment/subscription", plan="pro", interval="year", currency="INR")
    (row,) = (await root.get("/api/admin/revenue")).json()["items"]
    assert (row["gateway"], row["currency"], row["payments"]) == ("sandbox", "INR", 2)
    assert (row["paid_minor"], row["mrr_minor"]) == (5500_00, 500_00 + 5000_00 // 12)
    assert (row["new_subscriptions"], row["churned_subscriptions"]) == (2, 0)
    await press(year, gone, "refund")
    await press(year, gone, "end")
    await quiet(hortus)
    (row,) = (await root.get("/api/admin/revenue", params={"months": 1})).json()["items"]
    assert (row["refunded_minor"], row["net_minor"], row["mrr_minor"]) == (5000_00, 500_00, 500_00)
    assert row["churned_subscriptions"] == 1

    made = await month.post("/api/text/generate", json={"prompt": "Kites"})
    assert made.status_code == 200
    (margin,) = (await root.get("/api/admin/margins")).json()["items"]
    assert (margin["works"], margin["succeeded"], margin["provider"]) == (1, 1, "local")
    async with hortus.database.snapshot() as tx:
        price = (await tx.execute(text("SELECT price FROM generations"))).scalar_one()
    assert margin["price_credits"] == str(price)
    assert (await root.get("/api/admin/margins", params={"month": "2025-01"})).json()["items"] == []


async def test_plans_and_packs_change_by_versions(hortus: Hortus, root):
    customer = await hortus.customer()
    await bought(hortus, customer, "/api/payment/subscription", plan="pro", currency="INR")
    plan = {
        "name": "pro", "title": "Pro", "prices": {"INR": 600_00}, "monthly_credits": str(CREDIT),
        "windows": [{"kind": "chat", "window": "day", "limit": None}], **WHY,
    }  # fmt: skip
    key = {"Idempotency-Key": "plan"}
    answers = await asyncio.gather(*(root.post("/api/admin/plans", json=plan, headers=key) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {201}
    (made,) = {answer.json()["id"] for answer in answers}
    versions = [each for each in (await root.get("/api/admin/plans")).json() if each["name"] == "pro"]
    assert (versions[0]["id"], [each["version"] for each in versions]) == (made, [2, 1])
    sold = (await customer.get("/api/payment/plans")).json()["plans"]
    assert made in [each["id"] for each in sold]
    kept = (await customer.get("/api/payment/subscription/details")).json()["plan"]
    assert kept["id"] == versions[1]["id"]
    assert (await root.post("/api/admin/plans/pro/end", json=WHY)).json() == {"name": "pro", "on_sale": False}
    assert (await root.post("/api/admin/plans/pro/end", json=WHY)).json()["code"] == "not_for_sale"
    assert (await root.post("/api/admin/plans/basic/end", json=WHY)).status_code == 409
    assert "pro" not in [each["name"] for each in (await customer.get("/api/payment/plans")).json()["plans"]]
    assert (await customer.get("/api/user/usage")).json()["plan"] == "pro"

    pack = {"name": "small", "title": "Few", "credits": str(7 * CREDIT), "prices": {"INR": 10_00}, **WHY}
    assert (await root.post("/api/admin/packs", json=pack)).json()["version"] == 2
    assert (await root.post("/api/admin/packs/large/end", json=WHY)).status_code == 200
    packs = {each["name"]: each for each in (await customer.get("/api/payment/plans")).json()["packs"]}
    assert (set(packs), packs["small"]["credits"]) == ({"small", "medium"}, str(7 * CREDIT))
    assert (await root.post("/api/admin/packs/large/end", json=WHY)).json()["code"] == "not_for_sale"
    told = [event["action"] for event in await audit_of(root)]
    assert told == ["pack.sale_ended", "pack.published", "plan.sale_ended", "plan.published"]
    await holds(hortus)
