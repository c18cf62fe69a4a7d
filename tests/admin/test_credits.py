"""Credits are granted once: by one administrator within the limit, by two above it."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import time_machine
from sqlalchemy import text
from tests.admin.conftest import audit_of, id_of
from tests.helpers.server import Hortus

from hortus.core import clock, ids
from hortus.core.money import MICRO

LIMIT = 1000 * MICRO
WHY = {"reason": "Outage of Tuesday"}


async def give(client: httpx2.AsyncClient, user_id: str, amount: int, **more: Any) -> httpx2.Response:
    headers = more.pop("headers", {})
    body = {"amount": str(amount), **WHY, **more}
    return await client.post(f"/api/admin/users/{user_id}/credits", json=body, headers=headers)


async def decide(client: httpx2.AsyncClient, credit_id: str, verb: str) -> httpx2.Response:
    return await client.post(f"/api/admin/credits/{credit_id}/{verb}", json=WHY)


async def balance(client: httpx2.AsyncClient) -> int:
    return int((await client.get("/api/user/usage")).json()["credits"]["available"])


async def test_credits_within_the_limit_are_given_at_once(hortus: Hortus, root):
    customer = await hortus.customer()
    before = await balance(customer)
    answer = await give(root, id_of(customer), 3 * MICRO)
    made = answer.json()
    assert (answer.status_code, made["status"], made["amount"]) == (201, "granted", str(3 * MICRO))
    assert (made["asked_by"], made["decided_by"]) == (id_of(root), None)
    assert await balance(customer) == before + 3 * MICRO
    (line, *_) = (await customer.get("/api/user/credits")).json()["items"]
    assert (line["reason"], line["amount"]) == ("Given by the operator", str(3 * MICRO))  # not the inner reason
    (event,) = await audit_of(root, target_id=id_of(customer))
    assert (event["action"], event["note"]) == ("credits.granted", WHY["reason"])
    assert event["details"] == {"credit_id": made["id"], "amount": str(3 * MICRO)}
    seen = (await root.get(f"/api/admin/users/{id_of(customer)}/credits")).json()
    assert seen["credits"]["available"] == str(before + 3 * MICRO)
    assert seen["items"][0]["amount"] == str(3 * MICRO)


async def test_a_repeat_with_the_same_key_gives_once(hortus: Hortus, root):
    customer = await hortus.customer()
    before = await balance(customer)
    key = {"Idempotency-Key": ids.new()}
    answers = await asyncio.gather(*(give(root, id_of(customer), MICRO, headers=key) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (await give(root, id_of(customer), 2 * MICRO, headers=key)).json()["code"] == "idempotency_mismatch"
    assert await balance(customer) == before + MICRO


async def test_above_the_limit_another_administrator_approves(hortus: Hortus, root):
    customer, second = await hortus.customer(), await hortus.staff("admin")
    before = await balance(customer)
    asked = (await give(root, id_of(customer), LIMIT + 1)).json()
    assert asked["status"] == "pending"
    assert await balance(customer) == before
    refused = await decide(root, asked["id"], "approve")
    assert (refused.status_code, refused.json()["code"]) == (403, "second_approver_needed")
    waiting = (await second.get("/api/admin/credits", params={"status": "pending"})).json()["items"]
    assert [each["id"] for each in waiting] == [asked["id"]]
    granted = (await decide(second, asked["id"], "approve")).json()
    assert (granted["status"], granted["decided_by"]) == ("granted", id_of(second))
    assert await balance(customer) == before + LIMIT + 1
    for verb in ("approve", "reject"):
        again = await decide(second, asked["id"], verb)
        assert (again.status_code, again.json()["code"]) == (409, "already_decided")
        assert again.json()["status_now"] == "granted"
    actions = [event["action"] for event in await audit_of(root, target_id=id_of(customer))]
    assert actions == ["credits.approved", "credits.requested"]


async def test_many_small_gifts_count_as_one_large_one(hortus: Hortus, root):
    one, two = await hortus.customer(), await hortus.customer()
    answers = await asyncio.gather(*(give(root, id_of(each), LIMIT // 4) for each in (one, two) * 5))
    assert Counter(answer.json()["status"] for answer in answers) == {"granted": 4, "pending": 6}
    async with hortus.database.transaction() as tx:
        moved = text("UPDATE credit_requests SET created_at = '2026-01-01 00:00:00.000000'")
        await tx.execute(moved)
    assert (await give(root, id_of(one), LIMIT)).json()["status"] == "granted"


async def test_a_grant_to_oneself_needs_approval(hortus: Hortus, root):
    second, third = await hortus.staff("admin"), await hortus.staff("admin")
    assert (await give(root, id_of(root), 1)).json()["status"] == "pending"
    asked = (await give(root, id_of(second), LIMIT + 1)).json()
    assert (await decide(second, asked["id"], "approve")).json()["code"] == "second_approver_needed"
    assert (await decide(third, asked["id"], "approve")).status_code == 200


async def test_approvals_at_once_grant_once(hortus: Hortus, root):
    customer = await hortus.customer()
    before = await balance(customer)
    approvers = [await hortus.staff("admin") for _ in range(4)]
    asked = (await give(root, id_of(customer), 2 * LIMIT)).json()
    verbs = ("approve", "approve", "approve", "reject")
    tries = [decide(client, asked["id"], verb) for client, verb in zip(approvers, verbs, strict=True)]
    answers = await asyncio.gather(*tries)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 3}
    ended = (await root.get(f"/api/admin/credits/{asked['id']}")).json()["status"]
    assert await balance(customer) - before == (2 * LIMIT if ended == "granted" else 0)


async def test_requesters_can_withdraw_and_requests_of_demoted_administrators_fail(hortus: Hortus, root):
    customer, second = await hortus.customer(), await hortus.staff("admin")
    mine = (await give(root, id_of(customer), 2 * LIMIT)).json()
    assert (await decide(root, mine["id"], "reject")).json()["status"] == "rejected"
    theirs = (await give(second, id_of(customer), 2 * LIMIT)).json()
    demoted = {"role": "user", **WHY}
    assert (await root.post(f"/api/admin/users/{id_of(second)}/role", json=demoted)).status_code == 200
    assert (await decide(root, theirs["id"], "approve")).json()["code"] == "conflict"
    assert (await decide(root, theirs["id"], "reject")).status_code == 200


async def test_a_mistake_is_taken_back_once(hortus: Hortus, root):
    customer = await hortus.customer()
    before = await balance(customer)
    made = (await give(root, id_of(customer), 5 * MICRO)).json()
    answers = await asyncio.gather(*(decide(root, made["id"], "reverse") for _ in range(3)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 2}
    assert await balance(customer) == before
    assert (await audit_of(root))[0]["details"]["taken"] == str(5 * MICRO)


async def test_credits_may_run_out(hortus: Hortus, root):
    customer = await hortus.customer()
    before = await balance(customer)
    soon = clock.iso(clock.now() + timedelta(seconds=60))
    assert (await give(root, id_of(customer), MICRO, expires_at=soon)).status_code == 201
    assert await balance(customer) == before + MICRO
    with time_machine.travel(clock.now() + timedelta(seconds=120), tick=True):
        assert await balance(customer) == before


@pytest.mark.parametrize(
    "body",
    [
        {"amount": "0"},
        {"amount": "-5"},
        {"amount": "1.5"},
        {"amount": 5},
        {"amount": "9" * 16},
        {"amount": "1", "reason": ""},
        {"amount": "1", "reason": "x" * 501},
        {"amount": "1", "expires_at": "2020-01-01T00:00:00Z"},
        {"amount": "1", "expires_at": "2030-01-01T00:00:00"},
        {"amount": "1", "priority": 1},
    ],
)
async def test_a_gift_is_checked(hortus: Hortus, root, body: dict[str, Any]):
    answer = await root.post(f"/api/admin/users/{id_of(root)}/credits", json=WHY | body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_grant_needs_an_existing_user(root):
    answer = await give(root, ids.new(), MICRO)
    assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")
    assert (await decide(root, ids.new(), "approve")).json()["code"] == "credit_request_not_found"
