"""What is dangerous asks for a fresh proof."""

import asyncio
import time

import pytest
import time_machine
from alembic import command
from sqlalchemy import text
from tests.serving import PASSWORD, Hortus

from hortus import accounts
from hortus.accounts.errors import ReauthenticationRequired
from hortus.core.db import Database
from hortus.main import schema


async def caller_of(hortus: Hortus, client) -> accounts.Principal:
    claims = hortus.resources.get(accounts.AccessTokens).verify(client.tokens["access_token"])
    return accounts.Principal(claims.user_id, claims.session_id, "user")


async def test_a_session_is_recent_for_ten_minutes_and_again_after_a_proof(hortus: Hortus):
    client = await hortus.customer()
    caller = await caller_of(hortus, client)
    async with hortus.database.snapshot() as tx:
        await accounts.recently_authenticated(tx, caller)
    with time_machine.travel(time.time() + 660, tick=True):
        async with hortus.database.snapshot() as tx:
            with pytest.raises(ReauthenticationRequired) as refused:
                await accounts.recently_authenticated(tx, caller)
        assert refused.value.extra == {"within_seconds": 600}
        wrong = await client.post("/api/auth/reauthenticate", json={"password": "wrong"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "bad_password")
        good = await client.post("/api/auth/reauthenticate", json={"password": PASSWORD})
        assert (good.status_code, good.json()["method"]) == (200, "password")
        async with hortus.database.snapshot() as tx:
            await accounts.recently_authenticated(tx, caller)


async def test_no_session_and_anothers_session_are_never_recent(hortus: Hortus):
    mine = await caller_of(hortus, await hortus.customer())
    yours = await caller_of(hortus, await hortus.customer())
    for caller in (
        accounts.Principal(mine.user_id, yours.session_id, "user"),
        accounts.Principal(mine.user_id, "", "user"),
    ):
        async with hortus.database.snapshot() as tx:
            with pytest.raises(ReauthenticationRequired):
                await accounts.recently_authenticated(tx, caller)


async def test_refreshing_is_no_proof(hortus: Hortus):
    client = await hortus.customer()
    caller = await caller_of(hortus, client)
    with time_machine.travel(time.time() + 660, tick=True):
        body = {"refresh_token": client.tokens["refresh_token"]}
        assert (await client.post("/api/auth/refresh", json=body)).status_code == 200
        async with hortus.database.snapshot() as tx:
            with pytest.raises(ReauthenticationRequired):
                await accounts.recently_authenticated(tx, caller)


NOW = "'2026-01-02 00:00:00.000000'"
OLD_ROWS = f"""
INSERT INTO users (id, role, status, marketing_consent, created_at, updated_at)
VALUES ('u', 'user', 'active', 0, {NOW}, {NOW});
INSERT INTO sessions (id, user_id, device, address, created_at, last_used_at, expires_at)
VALUES ('s', 'u', 'd', 'a', {NOW}, {NOW}, {NOW});
INSERT INTO refresh_tokens (digest, session_id, created_at) VALUES ('t', 's', {NOW})
"""


async def test_sessions_from_before_the_migration_proved_themselves_when_they_began(tmp_path):
    url = f"sqlite:///{tmp_path / 'old.db'}"
    await asyncio.to_thread(command.upgrade, schema.config(url), "0001")
    database = Database(url)
    async with database.transaction() as tx:
        for statement in OLD_ROWS.split(";"):
            await tx.execute(text(statement))
    await database.close()
    await asyncio.to_thread(command.upgrade, schema.config(url), "head")
    database = Database(url)
    async with database.snapshot() as tx:
        row = (await tx.execute(text("SELECT authenticated_at, authenticated_by FROM sessions"))).one()
        assert tuple(row) == ("2026-01-02 00:00:00.000000", "password")
    await database.close()
