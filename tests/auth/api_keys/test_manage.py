"""Making, changing, rotating and removing keys over HTTP."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import time_machine
from sqlalchemy import select, text
from tests.auth.api_keys.conftest import by_key, code_of, make_key
from tests.helpers.server import Hortus

from hortus.auth.api_keys.service import MOST_KEYS
from hortus.core.tables import IdempotencyRecord


async def test_a_key_is_shown_once_and_kept_as_a_digest(hortus: Hortus):
    owner = await hortus.customer()
    end = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    budgets = {"daily_calls": 10, "monthly_credits": "5000000"}
    made = await make_key(
        owner, scopes=["text", "image", "text"], addresses=["127.0.0.9/8"], budgets=budgets, expires_at=end
    )
    secret = made.pop("secret")
    assert secret.startswith(made["prefix"])
    assert made["scopes"] == ["image", "text"]
    assert made["addresses"] == ["127.0.0.0/8"]
    assert made["budgets"] == {
        "daily_calls": 10, "monthly_calls": None, "daily_credits": None, "monthly_credits": "5000000"
    }  # fmt: skip
    listed = (await owner.get("/api/keys")).json()
    assert listed == {"items": [{name: made[name] for name in made if name != "old_secret_until"}], "next_cursor": None}
    async with hortus.database.snapshot() as tx:
        rows = await tx.execute(text("SELECT * FROM api_keys AS k JOIN api_key_secrets AS s ON s.key_id = k.id"))
        kept = [str(row) for row in rows]
    assert len(kept) == 1
    assert secret not in " ".join(kept)


async def test_a_repeated_request_makes_one_key_and_shows_its_secret_once(hortus: Hortus):
    owner = await hortus.customer()
    once = {"Idempotency-Key": "k1"}
    answers = await asyncio.gather(*(owner.post("/api/keys", json={"name": "ci"}, headers=once) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert {answer.json().get("code") for answer in answers} == {None, "already_done"}
    (secret,) = (answer.json()["secret"] for answer in answers if answer.status_code == 201)
    assert await code_of(by_key(hortus, secret)) == (200, None)
    assert len((await owner.get("/api/keys")).json()["items"]) == 1
    other = await owner.post("/api/keys", json={"name": "another"}, headers=once)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    async with hortus.database.snapshot() as tx:
        kept = (await tx.execute(select(IdempotencyRecord.status, IdempotencyRecord.response))).one()
    assert (kept.status, kept.response) == (409, {})


async def test_many_at_once_never_make_more_than_may_be(hortus: Hortus):
    owner = await hortus.customer()
    answers = await asyncio.gather(*(owner.post("/api/keys", json={"name": "ci"}) for _ in range(MOST_KEYS + 5)))
    codes = [answer.status_code for answer in answers]
    assert (codes.count(201), codes.count(409)) == (MOST_KEYS, 5)
    refused = next(answer for answer in answers if answer.status_code == 409).json()
    assert (refused["code"], refused["limit"]) == ("too_many_keys", MOST_KEYS)


async def test_what_a_key_may_not_be(hortus: Hortus):
    owner = await hortus.customer()
    for wrong in (
        {"name": ""}, {"name": "x" * 200}, {"scopes": []}, {"scopes": ["admin"]}, {"addresses": ["nowhere"]},
        {"addresses": []}, {"models": ["a\x00"]}, {"models": []}, {"budgets": {"daily_calls": -1}},
        {"budgets": {"daily_calls": 2**63}}, {"budgets": {"weekly_calls": 1}}, {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "9999-12-31T23:59:59-14:00"}, {"expires_at": "soon"},
        {"user_id": "x"}, {"addresses": ["127.0.0.1"] * 51},
    ):  # fmt: skip
        answer = await owner.post("/api/keys", json={"name": "ci", **wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), wrong


async def test_rotation_overlaps(hortus: Hortus):
    owner = await hortus.customer()
    made = await make_key(owner)
    first = by_key(hortus, made["secret"])
    rotated = (await owner.post(f"/api/keys/{made['id']}/rotate", json={"overlap_hours": 1})).json()
    second = by_key(hortus, rotated["secret"])
    assert rotated["id"] == made["id"]
    assert rotated["prefix"] != made["prefix"]
    assert [await code_of(each) for each in (first, second)] == [(200, None)] * 2
    with time_machine.travel(time.time() + 3601, tick=True):
        assert await code_of(first) == (401, "bad_api_key")


async def test_rotation_without_overlap_ends_every_older_secret_at_once(hortus: Hortus):
    owner = await hortus.customer()
    made = await make_key(owner)
    second = (await owner.post(f"/api/keys/{made['id']}/rotate")).json()
    older = [by_key(hortus, each["secret"]) for each in (made, second)]
    assert [await code_of(each) for each in older] == [(200, None)] * 2
    third = (await owner.post(f"/api/keys/{made['id']}/rotate", json={"overlap_hours": 0})).json()
    with time_machine.travel(time.time() + 1, tick=True):
        assert [await code_of(each) for each in older] == [(401, "bad_api_key")] * 2
        assert await code_of(by_key(hortus, third["secret"])) == (200, None)


async def test_creating_and_rotating_require_step_up(hortus: Hortus):
    owner = await hortus.customer()
    made = await make_key(owner)
    with time_machine.travel(time.time() + 660, tick=True):
        for path in ("/api/keys", f"/api/keys/{made['id']}/rotate"):
            answer = await owner.post(path, json={"name": "ci"} if path == "/api/keys" else {})
            assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")
        assert (await owner.patch(f"/api/keys/{made['id']}", json={"name": "Still mine"})).status_code == 200
        assert (await owner.delete(f"/api/keys/{made['id']}")).status_code == 204
        assert (await owner.delete(f"/api/keys/{made['id']}")).status_code == 404
