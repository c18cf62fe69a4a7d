"""Sensitive operations require recent authentication."""

import time

import pytest
import time_machine
from tests.helpers.server import PASSWORD, Hortus

from hortus import accounts, auth
from hortus.auth.errors import ReauthenticationRequired


async def caller_of(hortus: Hortus, client) -> accounts.Principal:
    claims = hortus.resources[auth.AccessTokens].verify(client.tokens["access_token"])
    return accounts.Principal(claims.user_id, claims.session_id, "user")


async def test_a_session_is_recent_for_ten_minutes_and_again_after_step_up(hortus: Hortus):
    client = await hortus.customer()
    caller = await caller_of(hortus, client)
    async with hortus.database.snapshot() as tx:
        await auth.require_recent_authentication(tx, caller)
    with time_machine.travel(time.time() + 660, tick=True):
        async with hortus.database.snapshot() as tx:
            with pytest.raises(ReauthenticationRequired) as refused:
                await auth.require_recent_authentication(tx, caller)
        assert refused.value.extra == {"within_seconds": 600}
        wrong = await client.post("/api/auth/reauthenticate", json={"password": "wrong"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "bad_password")
        good = await client.post("/api/auth/reauthenticate", json={"password": PASSWORD})
        assert (good.status_code, good.json()["method"]) == (200, "password")
        async with hortus.database.snapshot() as tx:
            await auth.require_recent_authentication(tx, caller)


async def test_no_session_and_anothers_session_are_never_recent(hortus: Hortus):
    mine = await caller_of(hortus, await hortus.customer())
    yours = await caller_of(hortus, await hortus.customer())
    for caller in (
        accounts.Principal(mine.user_id, yours.session_id, "user"),
        accounts.Principal(mine.user_id, "", "user"),
    ):
        async with hortus.database.snapshot() as tx:
            with pytest.raises(ReauthenticationRequired):
                await auth.require_recent_authentication(tx, caller)


async def test_refreshing_does_not_authenticate(hortus: Hortus):
    client = await hortus.customer()
    caller = await caller_of(hortus, client)
    with time_machine.travel(time.time() + 660, tick=True):
        body = {"refresh_token": client.tokens["refresh_token"]}
        assert (await client.post("/api/auth/refresh", json=body)).status_code == 200
        async with hortus.database.snapshot() as tx:
            with pytest.raises(ReauthenticationRequired):
                await auth.require_recent_authentication(tx, caller)
