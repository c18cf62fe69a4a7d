"""Codes: what they take off, what they give, and that nobody uses one twice."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
from tests.billing.conftest import available, buy, press, quiet, rows, usage
from tests.helpers.server import Hortus, serve

CREDIT = 1_000_000
BONUS = 5 * CREDIT
PRO = 2000 * CREDIT
WHY = {"reason": "A test wants it"}


async def make(hortus: Hortus, **terms: Any) -> list[str]:
    """Codes by an administrator."""
    admin = await hortus.staff("admin")
    answer = await admin.post("/api/admin/coupons", json={"name": "Spring", **WHY, **terms})
    assert answer.status_code == 201, answer.text
    return [item["code"] for item in answer.json()["items"]]


async def redeem(client: httpx2.AsyncClient, code: str) -> httpx2.Response:
    return await client.post("/api/payment/redeem", json={"code": code})


async def test_a_gift_is_there_at_once_and_once(hortus: Hortus):
    (code,) = await make(hortus, kind="credit", credits=str(50 * CREDIT), credit_days=30)
    customer, other = await hortus.customer(), await hortus.customer()
    pasted = "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else "\u00a0" for c in code.lower())  # full-width
    answer = await redeem(customer, f"\u200b{pasted}.")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["kind"], answer.json()["applied"], answer.json()["credits"]) == ("credit", True, "50000000")
    assert answer.json()["expires_at"] is not None
    assert await available(customer) == BONUS + 50 * CREDIT
    assert (await redeem(customer, code)).json()["code"] == "coupon_used"
    assert (await redeem(other, code)).json()["code"] == "coupon_not_found"
    assert await available(customer) == BONUS + 50 * CREDIT


async def test_of_a_hundred_who_redeem_a_single_code_one_gets_it(hortus: Hortus):
    (code,) = await make(hortus, kind="credit", credits="7", limit_total=1, limit_per_user=None)
    customers = await asyncio.gather(*(hortus.customer() for _ in range(10)))
    answers = await asyncio.gather(*(redeem(customers[number % 10], code) for number in range(100)))
    assert sorted(answer.status_code for answer in answers).count(200) == 1
    assert {answer.status_code for answer in answers} == {200, 404, 409}
    assert await rows(hortus, "SELECT taken FROM coupons") == [(1,)]
    assert await rows(hortus, "SELECT count(*) FROM credit_grants WHERE reason = 'Spring'") == [(1,)]


async def test_one_customer_gets_no_more_than_their_share(hortus: Hortus):
    (code,) = await make(hortus, kind="credit", credits="7", limit_total=None, limit_per_user=3)
    customer = await hortus.customer()
    answers = await asyncio.gather(*(redeem(customer, code) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [409] * 17
    assert await rows(hortus, "SELECT taken FROM coupons") == [(3,)]


async def test_a_repeated_request_gives_the_same_answer(hortus: Hortus):
    (code,) = await make(hortus, kind="credit", credits="7")
    customer = await hortus.customer()
    key = {"Idempotency-Key": "gift"}
    answers = [await customer.post("/api/payment/redeem", json={"code": code}, headers=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1].status_code == 200


async def test_a_percentage_is_taken_off_and_counted_when_it_is_paid(hortus: Hortus):
    (code,) = await make(hortus, kind="percent", percent=25, pack="small")
    customer, other = await hortus.customer(), await hortus.customer()
    promised = (await redeem(customer, code)).json()
    assert (promised["applied"], promised["percent"], promised["pack"]) == (False, 25, "small")
    refused = await customer.post("/api/payment/topup", json={"pack": "medium", "currency": "INR", "coupon": code})
    assert (refused.status_code, refused.json()["code"]) == (409, "coupon_not_applicable")
    order = await buy(customer, "/api/payment/topup", pack="small", currency="INR", coupon=code)
    assert (order["amount_minor"], order["discount_minor"]) == (99_00 - 24_75, 24_75)
    late = await other.post("/api/payment/topup", json={"pack": "small", "coupon": code})
    assert late.json()["code"] == "coupon_not_found"
    await press(customer, order, "pay")
    await quiet(hortus)
    assert await available(customer) == BONUS + 100 * CREDIT
    assert await rows(hortus, "SELECT status FROM coupon_redemptions") == [("used",)]
    assert await rows(hortus, "SELECT taken FROM coupons") == [(1,)]


async def test_an_order_that_is_called_off_gives_its_use_back(hortus: Hortus):
    (code,) = await make(hortus, kind="amount", amount_minor=50_00, currency="INR")
    customer, other = await hortus.customer(), await hortus.customer()
    body = {"pack": "small", "currency": "INR", "coupon": code}
    order = await buy(customer, "/api/payment/topup", **body)
    assert order["amount_minor"] == 49_00
    again = await customer.post("/api/payment/topup", json=body)
    assert again.json()["code"] == "coupon_used"
    answers = await asyncio.gather(
        *(customer.post(f"/api/payment/checkout/{order['checkout_id']}/cancel") for _ in range(5))
    )
    assert {answer.json()["status"] for answer in answers} == {"expired"}
    assert await rows(hortus, "SELECT taken FROM coupons") == [(0,)]
    await quiet(hortus)
    order = await buy(other, "/api/payment/topup", **body)
    await press(other, order, "pay")
    await quiet(hortus)
    assert await rows(hortus, "SELECT taken FROM coupons") == [(1,)]
    gone = await other.post(f"/api/payment/checkout/{order['checkout_id']}/cancel")
    assert gone.json()["code"] == "checkout_paid"


async def test_orders_race_for_the_last_use(hortus: Hortus):
    (code,) = await make(hortus, kind="percent", percent=10, limit_total=3, limit_per_user=None)
    customers = await asyncio.gather(*(hortus.customer() for _ in range(4)))
    body = {"pack": "small", "currency": "INR", "coupon": code}
    answers = await asyncio.gather(
        *(customers[number % 4].post("/api/payment/topup", json=body) for number in range(20))
    )
    assert sorted(answer.status_code for answer in answers).count(201) >= 3
    held = "SELECT (SELECT count(*) FROM checkouts WHERE coupon_id IS NOT NULL AND status <> 'expired')"
    assert await rows(hortus, f"{held}, taken FROM coupons") == [(3, 3)]


async def test_what_a_coupon_makes_free_is_paid_without_the_gateway(hortus: Hortus):
    (code,) = await make(hortus, kind="percent", percent=100)
    customer = await hortus.customer()
    order = await buy(customer, "/api/payment/topup", pack="small", coupon=code)
    assert (order["status"], order["amount_minor"], order["checkout_url"]) == ("paid", 0, None)
    assert await available(customer) == BONUS + 100 * CREDIT
    assert await rows(hortus, "SELECT taken FROM coupons") == [(1,)]
    assert await rows(hortus, "SELECT status FROM coupon_redemptions") == [("used",)]


async def test_the_first_period_of_a_plan_costs_less_and_the_next_one_does_not(hortus: Hortus):
    (code,) = await make(hortus, kind="percent", percent=40, plan="pro")
    customer = await hortus.customer()
    order = await buy(customer, currency="INR", coupon=code)
    assert (order["amount_minor"], order["discount_minor"]) == (300_00, 200_00)
    await press(customer, order, "pay")
    await quiet(hortus)
    await press(customer, order, "renew")
    await quiet(hortus)
    assert await available(customer) == BONUS + 2 * PRO
    paid = await rows(hortus, "SELECT amount_minor, kind FROM payments ORDER BY id")
    assert paid == [(300_00, "subscription"), (500_00, "subscription")]


async def test_a_free_first_period_is_a_trial_with_its_credit(hortus: Hortus):
    (code,) = await make(hortus, kind="percent", percent=100, plan="pro")
    customer = await hortus.customer()
    order = await buy(customer, currency="INR", coupon=code)
    assert order["trial_days"] in (28, 29, 30, 31)
    assert (order["amount_minor"], order["credits"]) == (500_00, str(PRO))
    assert await available(customer) == BONUS
    await press(customer, order, "pay")
    await quiet(hortus)
    assert (await usage(customer))["plan"] == "pro"
    assert await available(customer) == BONUS + PRO
    assert await rows(hortus, "SELECT id FROM payments") == []
    await customer.post("/api/payment/subscription/cancel", json={"at": "now"})
    assert await available(customer) == BONUS
    assert (await usage(customer))["plan"] == "basic"


async def test_an_ended_code_is_good_for_nobody_but_the_order_that_holds_it(hortus: Hortus):
    admin, customer = await hortus.staff("admin"), await hortus.customer()
    body = {"kind": "percent", "percent": 50, "name": "Own", "code": "welcome-50", "limit_total": None, **WHY}
    made = (await admin.post("/api/admin/coupons", json=body)).json()["items"][0]
    assert (await admin.post("/api/admin/coupons", json=body)).json()["code"] == "coupon_code_taken"
    order = await buy(customer, "/api/payment/topup", pack="small", currency="INR", coupon="WELCOME50")
    ended = (await admin.post(f"/api/admin/coupons/{made['id']}/end", json=WHY)).json()
    assert (ended["active"], ended["taken"]) == (False, 1)
    assert (await redeem(await hortus.customer(), "welcome-50")).json()["code"] == "coupon_not_found"
    await press(customer, order, "pay")
    await quiet(hortus)
    assert await available(customer) == BONUS + 100 * CREDIT
    listed = (await admin.get("/api/admin/coupons")).json()["items"]
    assert "code" not in listed[0]
    used = (await admin.get(f"/api/admin/coupons/{made['id']}/redemptions")).json()["items"]
    assert [use["status"] for use in used] == ["used"]
    log = (await admin.get("/api/admin/audit")).json()["items"]
    assert {"coupons.made", "coupon.ended"} <= {entry["action"] for entry in log}


async def test_codes_are_shown_once_and_are_nowhere_in_the_database(hortus: Hortus):
    admin = await hortus.staff("admin")
    body = {"kind": "credit", "credits": "5", "name": "Many", "count": 3, **WHY}
    key = {"Idempotency-Key": "make"}
    first, again = [await admin.post("/api/admin/coupons", json=body, headers=key) for _ in range(2)]
    codes = [item["code"] for item in first.json()["items"]]
    assert (again.status_code, again.json()["code"]) == (409, "already_done")
    assert len(set(codes)) == 3
    assert len((await admin.get("/api/admin/coupons")).json()["items"]) == 3
    kept = str(await rows(hortus, "SELECT response FROM idempotency_keys"))
    kept += str(await rows(hortus, "SELECT * FROM coupons"))
    assert not [code for code in codes if code in kept or code.replace("-", "") in kept]


async def test_guesses_are_counted(database_url: str, tmp_path: Path):
    async with serve(database_url, tmp_path, rate_limits_enabled=True) as hortus:
        customer = await hortus.customer()
        answers = [(await redeem(customer, f"GUESS{number}")).status_code for number in range(12)]
        assert answers == [404] * 10 + [429] * 2
        body = {"pack": "small", "coupon": "GUESS13"}
        assert (await customer.post("/api/payment/topup", json=body)).status_code == 429


async def test_any_amount_can_be_bought_within_limits(hortus: Hortus):
    customer = await hortus.customer()
    offered = (await customer.get("/api/payment/plans")).json()["amounts"]
    assert [each["currency"] for each in offered] == ["INR", "USD"]
    order = await buy(customer, "/api/payment/topup", amount_minor=1000_00, currency="INR")
    assert (order["amount_minor"], order["credits"]) == (1000_00, str(900 * CREDIT))
    await press(customer, order, "pay")
    await quiet(hortus)
    assert await available(customer) == BONUS + 900 * CREDIT
    for body, code in (
        ({"amount_minor": 1, "currency": "INR"}, "amount_not_offered"),
        ({"amount_minor": 10**11, "currency": "INR"}, "amount_not_offered"),
        ({"amount_minor": 1000, "currency": "EUR"}, "not_for_sale"),
        ({"amount_minor": 1000}, "invalid_request"),
        ({"amount_minor": 1000, "currency": "INR", "pack": "small"}, "invalid_request"),
        ({}, "invalid_request"),
    ):
        assert (await customer.post("/api/payment/topup", json=body)).json()["code"] == code, body


async def test_a_late_payment_of_an_ended_order_counts_its_use(hortus: Hortus):
    (code,) = await make(hortus, kind="percent", percent=50)
    customer = await hortus.customer()
    order = await buy(customer, "/api/payment/topup", pack="small", currency="INR", coupon=code)
    async with hortus.database.transaction() as tx:
        from hortus.billing.checkout.close_checkout import close

        assert await close(tx, order["checkout_id"], "expired")
        assert not await close(tx, order["checkout_id"], "expired")
    assert await rows(hortus, "SELECT taken FROM coupons") == [(0,)]
    await press(customer, order, "pay")
    await quiet(hortus)
    assert await rows(hortus, "SELECT taken FROM coupons") == [(1,)]
    assert await available(customer) == BONUS + 100 * CREDIT
