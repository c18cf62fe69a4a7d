"""Refreshing: one successor however often it is asked for, and no second life for a stolen token."""

import asyncio
import time
from pathlib import Path

import time_machine
from sqlalchemy import text
from tests.helpers.server import Hortus, serve


async def refresh(client, token: str):
    return await client.post("/api/auth/refresh", json={"refresh_token": token})


def pair(answer) -> tuple[str, str]:
    return answer.json()["access_token"], answer.json()["refresh_token"]


async def count(hortus: Hortus, query: str) -> int:
    async with hortus.database.snapshot() as tx:
        return (await tx.execute(text(query))).scalar_one()


async def test_fifty_parallel_refreshes_make_one_successor(hortus: Hortus):
    client = await hortus.customer()
    first = client.tokens["refresh_token"]
    answers = await asyncio.gather(*(refresh(client, first) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({pair(answer) for answer in answers}) == 1
    assert await count(hortus, "SELECT count(*) FROM refresh_tokens") == 2
    access, second = pair(answers[0])
    assert (await refresh(client, second)).status_code == 200
    assert (await client.get("/api/user/me", headers={"Authorization": f"Bearer {access}"})).status_code == 200


async def test_a_lost_answer_is_given_again_even_after_its_successor_was_used(hortus: Hortus):
    client = await hortus.customer()
    first = client.tokens["refresh_token"]
    one = await refresh(client, first)
    two = await refresh(client, pair(one)[1])
    assert pair(await refresh(client, first)) == pair(one)
    assert pair(await refresh(client, pair(one)[1])) == pair(two)


async def test_reuse_beyond_the_grace_ends_the_session_at_once(hortus: Hortus):
    client, other = await hortus.customer(), await hortus.customer()
    first = client.tokens["refresh_token"]
    access, second = pair(await refresh(client, first))
    with time_machine.travel(time.time() + 11, tick=True):
        answers = await asyncio.gather(*(refresh(client, first) for _ in range(5)))
        assert {answer.json()["code"] for answer in answers} <= {"refresh_reused", "bad_refresh_token"}
        assert "refresh_reused" in {answer.json()["code"] for answer in answers}
        assert (await refresh(client, second)).json()["code"] == "bad_refresh_token"
        assert (await client.get("/api/user/me", headers={"Authorization": f"Bearer {access}"})).status_code == 401
        assert (await other.get("/api/user/me")).status_code == 200


async def test_what_is_stored_opens_nothing(hortus: Hortus):
    client = await hortus.customer()
    await refresh(client, client.tokens["refresh_token"])
    async with hortus.database.snapshot() as tx:
        digests = (await tx.execute(text("SELECT digest FROM refresh_tokens"))).scalars().all()
    for stored in digests:
        assert (await refresh(client, stored)).json()["code"] == "bad_refresh_token"


async def test_sessions_survive_a_new_secret_key(database_url: str, tmp_path: Path):
    """Even the lost answer of the old key is given again."""
    old, new = "o" * 40, "n" * 40
    async with serve(database_url, tmp_path, secret_key=old) as hortus:
        client = await hortus.customer()
        tokens = client.tokens
        lost = await refresh(client, tokens["refresh_token"])
    async with serve(database_url, tmp_path, secret_key=new, secret_key_previous=[old]) as hortus:
        client = hortus.anonymous()
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await client.get("/api/user/me", headers=bearer)).status_code == 200
        again = await refresh(client, tokens["refresh_token"])
        assert again.json()["refresh_token"] == lost.json()["refresh_token"]
        renewed = await refresh(client, lost.json()["refresh_token"])
    async with serve(database_url, tmp_path, secret_key=new) as hortus:
        client = hortus.anonymous()
        assert (await client.get("/api/user/me", headers=bearer)).status_code == 401
        bearer = {"Authorization": f"Bearer {pair(renewed)[0]}"}
        assert (await client.get("/api/user/me", headers=bearer)).status_code == 200
