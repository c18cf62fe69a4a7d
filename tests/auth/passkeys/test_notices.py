"""The owner of an account is notified of changed credentials."""

import asyncio

import time_machine
from sqlalchemy import text
from tests.auth.mfa.authenticator_app import set_up
from tests.auth.passkeys.authenticator import Authenticator, asked, send
from tests.helpers.server import Hortus


async def mails(hortus: Hortus) -> int:
    async with hortus.database.snapshot() as tx:
        return (await tx.execute(text("SELECT count(*) FROM tasks WHERE name = 'senders.mail'"))).scalar_one()


async def mails_sent(hortus: Hortus) -> int:
    """How many mails there are once that of the registration is written, which is after its answer."""
    async with asyncio.timeout(20):
        while not (count := await mails(hortus)):
            await asyncio.sleep(0.02)
    return count


async def test_the_owner_hears_of_a_new_passkey_once(hortus: Hortus):
    client, device = await hortus.customer(), Authenticator()
    before = await mails_sent(hortus)
    refused = await send(client, "register", device.create(await asked(client, "register"), flags=0))
    assert (refused.status_code, await mails(hortus)) == (422, before)
    body, key = {"credential": device.create(await asked(client, "register"))}, {"Idempotency-Key": "once"}
    for _ in range(2):
        assert (await client.post("/api/auth/passkey/register", json=body, headers=key)).status_code == 201
    assert await mails(hortus) == before + 1


async def test_the_owner_hears_that_the_second_factor_is_gone(hortus: Hortus):
    with time_machine.travel(1_790_000_010, tick=True) as travel:
        client = await hortus.customer()
        app = await set_up(client)
        travel.shift(30)
        before = await mails_sent(hortus)
        assert (await client.post("/api/auth/totp/disable", json={"code": app.wrong()})).status_code == 401
        assert await mails(hortus) == before
        assert (await client.post("/api/auth/totp/disable", json={"code": app.code()})).status_code == 204
        assert await mails(hortus) == before + 1
