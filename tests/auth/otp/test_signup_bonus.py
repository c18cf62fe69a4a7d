"""The sign-up bonus: once per person; after verification where real messages are sent."""

import asyncio

import pytest
from sqlalchemy import text
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import PASSWORD, Hortus, serve

from hortus import accounts, ledger
from hortus.accounts.users import SignUpDetails, create_user
from hortus.auth.otp import Target
from hortus.core.db import Database
from hortus.core.settings import Settings
from hortus.ops.configuration import read as read_configuration


async def credits_of(client) -> int:
    return int((await client.get("/api/user/me")).json()["usage"]["credits"]["available"])


async def test_spellings_of_one_mailbox_get_one_bonus(hortus: Hortus, mailbox: Mailbox):
    first = await hortus.customer("asha.rao@gmail.com")
    assert await credits_of(first) == ledger.SIGNUP_BONUS
    for spelling in ("ashar.ao@gmail.com", "asharao+2@gmail.com", "A.S.H.A.R.A.O+x@googlemail.com"):
        again = await hortus.customer(spelling)
        assert again.tokens["user"]["email"] == spelling.lower()
        assert await credits_of(again) == 0
    for other in ("asha.rao@example.com", "asharao+2@example.com", "asha.ra@gmail.com"):
        assert await credits_of(await hortus.customer(other)) == ledger.SIGNUP_BONUS


async def test_deleting_and_signing_up_again_gives_no_second_bonus(hortus: Hortus, mailbox: Mailbox):
    first = await hortus.customer("gone@example.com")
    async with hortus.database.transaction() as tx:
        await tx.execute(text("DELETE FROM identifiers WHERE user_id = :id"), {"id": first.tokens["user"]["id"]})
        stored = repr((await tx.execute(text("SELECT * FROM signup_bonus_claims"))).all())
    assert "gone" not in stored
    assert await credits_of(await hortus.customer("gone@example.com")) == 0


async def test_a_second_identifier_brings_no_second_credit(hortus: Hortus, mailbox: Mailbox):
    client = await hortus.customer("one@example.com")
    await client.post("/user/identifiers", json={"mobile_number": "+919812345678"})
    body = {"mobile_number": "+919812345678", "code": await mailbox.code("+919812345678")}
    assert (await client.post("/user/identifiers/verify", json=body)).status_code == 200
    assert await credits_of(client) == ledger.SIGNUP_BONUS


async def test_with_real_mail_the_bonus_requires_verification(
    database_url: str, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("FROM_EMAIL", "garden@example.com")
    async with serve(database_url, tmp_path) as hortus:
        mailbox = Mailbox(real=True)
        mailbox.attach(hortus)
        client = await hortus.customer("new@example.com")
        assert await credits_of(client) == 0
        code = await mailbox.code("new@example.com")
        assert (await client.post("/auth/verify-email", json={"code": code})).status_code == 200
        assert await credits_of(client) == ledger.SIGNUP_BONUS


async def test_races_and_rotated_keys_give_one_bonus(database: Database, tmp_path):
    old, new = "o" * 40, "n" * 40
    due: list[str] = []

    async def note(_tx, user_id: str) -> None:
        due.append(user_id)

    accounts.signup_bonus_due.connect(note)

    async def join(value: str) -> None:
        async with database.transaction() as tx:
            await create_user(tx, Target("email", value), SignUpDetails(), verified=True)

    try:
        database.context.configuration = read_configuration(Settings(data_dir=tmp_path, secret_key=old))
        await asyncio.gather(*(join(f"same+{number}@gmail.com") for number in range(10)))
        assert len(due) == 1
        rotated = Settings(data_dir=tmp_path, secret_key=new, secret_key_previous=[old])
        database.context.configuration = read_configuration(rotated)
        await join("s.a.m.e@gmail.com")
        assert len(due) == 1
    finally:
        accounts.signup_bonus_due.disconnect(note)
    assert PASSWORD
