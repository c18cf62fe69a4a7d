"""Erasure removes a user from every table, storage and log; accounting records stay and are anonymous."""

import asyncio
import io

import pytest
from sqlalchemy import select, text, update
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import PASSWORD, Hortus
from tests.privacy.conftest import (
    EMAIL,
    MOBILE,
    found_in_folder,
    found_in_tables,
    grace_passes,
    idle,
    leave,
    live,
    status_is,
)

from hortus.accounts.tables import User
from hortus.core import clock
from hortus.privacy import DATA_MAP
from hortus.privacy.tables import AccountDeletion

LOGIN = {"email": EMAIL, "password": PASSWORD}


async def test_nothing_personal_is_left_anywhere(hortus: Hortus, mailbox: Mailbox, log_lines: io.StringIO):
    person = await live(hortus, mailbox)
    asked = await person.client.post("/api/user/data-export")
    assert asked.status_code == 202, asked.text
    await idle(hortus)
    blobs = hortus.settings.data_dir / "files"
    marks = person.marks()
    assert {hit.split(":")[0] for hit in await found_in_tables(hortus, marks)} >= {
        "identifiers.value", "users.name", "messages.content", "generations.prompt", "files.filename",
        "audit_notes.text", "credit_requests.reason", "webhook_events.body", "api_keys.name", "passkeys.name",
    }, "the search finds what is there"  # fmt: skip
    assert len([path for path in blobs.rglob("*") if path.is_file()]) == 3

    await leave(hortus, person)
    await idle(hortus)
    assert [hit for hit in await found_in_tables(hortus, marks) if not hit.startswith(BY_LAW)] == []
    assert [path for path in blobs.rglob("*") if path.is_file()] == []
    assert found_in_folder(hortus.settings.data_dir, marks) == []
    logged = log_lines.getvalue()
    assert "account_erased" in logged, "the log was listened to"
    assert [word for word in [*marks, *person.secrets] if word in logged] == []
    async with hortus.database.snapshot() as tx:
        user = (await tx.execute(select(User).where(User.id == person.id))).scalar_one()
        assert (user.status, user.name, user.password_hash) == ("deleted", None, None)
        for table, least in {"payments": 1, "ledger_entries": 3, "signup_bonus_claims": 1, "audit_events": 1}.items():
            assert (await tx.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() >= least, table
        for name in [name for name, rule in DATA_MAP.items() if rule.erase == "delete" and name not in KEPT_BY_OTHERS]:
            assert (await tx.execute(text(f"SELECT count(*) FROM {name}"))).scalar_one() == 0, name


BY_LAW = "invoices.buyer:"
"""An issued invoice must be kept unchanged, and it names its buyer: docs/operators/privacy.md says so."""
KEPT_BY_OTHERS = {"sessions", "devices", "refresh_tokens", "identifiers", "tasks", "idempotency_keys", "link_tokens",
                  "one_time_codes", "passkey_challenges"}  # fmt: skip
"""Tables in which the administrator of the story, or the clock, has rows too."""


async def test_leaving_ends_everything_at_once_and_signing_in_undoes_it(hortus: Hortus, mailbox: Mailbox):
    client = await hortus.customer(EMAIL)
    user_id = client.tokens["user"]["id"]
    await mailbox.arrived(EMAIL, 1)  # two mails are under way at a time: the later one may come first
    key = (await client.post("/api/keys", json={"name": "Mine"})).json()["secret"]
    answer = await client.delete("/api/user/me")
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "closing"
    assert answer.json()["erase_at"] > answer.json()["deleted_at"]
    assert (await client.get("/api/user/me")).status_code == 401
    refresh = {"refresh_token": client.tokens["refresh_token"]}
    assert (await client.post("/api/auth/refresh", json=refresh)).status_code == 401
    client.headers["Authorization"] = f"Bearer {key}"
    assert (await client.get("/api/models")).status_code in (200, 401)
    assert (await client.get("/api/user/me")).status_code == 401
    mail = await mailbox.arrived(EMAIL, 2)
    assert "erased for good" in mail

    del client.headers["Authorization"]
    assert (await client.post("/api/auth/login", json={**LOGIN, "password": "wrong"})).status_code == 401
    back = await client.post("/api/auth/login", json=LOGIN)
    assert back.status_code == 200, back.text
    client.headers["Authorization"] = f"Bearer {back.json()['access_token']}"
    assert (await client.get("/api/user/me")).json()["email"] == EMAIL
    await status_is(hortus, user_id, "cancelled")
    assert (await client.get("/api/keys")).json()["items"] == []

    assert (await client.delete("/api/user/me")).status_code == 202  # and leaves again
    await grace_passes(hortus, user_id)
    assert (await client.post("/api/auth/login", json=LOGIN)).status_code == 401


async def test_the_address_is_free_again_and_the_bonus_is_granted_once(hortus: Hortus, mailbox: Mailbox):
    client = await hortus.customer(EMAIL)
    before = (await client.get("/api/user/usage")).json()["credits"]
    assert int(before["available"]) > 0
    await client.delete("/api/user/me")
    again = {**LOGIN, "accept_terms": True}
    assert (await client.post("/api/auth/register", json=again)).status_code == 409
    await grace_passes(hortus, client.tokens["user"]["id"])
    newcomer = await hortus.customer(EMAIL)
    assert newcomer.tokens["user"]["id"] != client.tokens["user"]["id"]
    assert int((await newcomer.get("/api/user/usage")).json()["credits"]["available"]) == 0


async def test_a_subscription_is_ended_at_its_gateway(hortus: Hortus, mailbox: Mailbox):
    person = await live(hortus, mailbox)
    assert (await person.client.delete("/api/user/me")).status_code == 202
    async with asyncio.timeout(20):
        while True:
            async with hortus.database.snapshot() as tx:
                if (await tx.execute(text("SELECT status FROM subscriptions"))).scalars().all() == ["ended"]:
                    break
            await asyncio.sleep(0.05)


async def test_what_is_being_made_ends_and_holds_nothing(hortus: Hortus, vendor, mailbox: Mailbox):
    client = await hortus.customer()
    vendor.fail("hang")
    made = (await client.post("/api/image/generate", json={"prompt": "kite"})).json()
    assert (await client.delete("/api/user/me")).status_code == 202
    async with hortus.database.snapshot() as tx:
        found = (await tx.execute(text("SELECT id, status FROM generations"))).one()
        assert tuple(found) == (made["id"], "cancelled")
        assert (await tx.execute(text("SELECT held FROM credit_accounts"))).scalar_one() == 0


async def test_the_last_administrator_stays(hortus: Hortus):
    root = await hortus.staff("admin")
    assert (await root.delete("/api/user/me")).json()["code"] == "last_administrator"


async def test_coming_back_and_being_erased_never_both_happen(hortus: Hortus, mailbox: Mailbox):
    for round_ in range(4):
        address = f"r{round_}@people.example"
        client = await hortus.customer(address)
        user_id = client.tokens["user"]["id"]
        assert (await client.delete("/api/user/me")).status_code == 202
        async with hortus.database.transaction() as tx:
            over = update(AccountDeletion).where(AccountDeletion.user_id == user_id)
            await tx.execute(over.values(erase_at=clock.EPOCH))
        anonymous = hortus.anonymous()
        from hortus.privacy.deletion import erase_due_accounts

        body = {"email": address, "password": PASSWORD}
        back, _ = await asyncio.gather(
            anonymous.post("/api/auth/login", json=body), erase_due_accounts(hortus.resources, None)
        )
        await idle(hortus)
        async with hortus.database.snapshot() as tx:
            status = (await tx.execute(select(User.status).where(User.id == user_id))).scalar_one()
            ended = (
                await tx.execute(select(AccountDeletion.status).where(AccountDeletion.user_id == user_id))
            ).scalar()
            known = (
                await tx.execute(text("SELECT count(*) FROM identifiers WHERE user_id = :id"), {"id": user_id})
            ).scalar()
        assert (status, ended, known) in {("active", "cancelled", 1), ("deleted", "erased", 0)}
        if status == "active":
            assert back.status_code == 200


@pytest.mark.parametrize("died_after", ["begin", "blobs", "half the tables"])
async def test_an_erasure_that_died_goes_on(hortus: Hortus, mailbox: Mailbox, died_after: str):
    from hortus.accounts import begin_erasure
    from hortus.privacy import rows
    from hortus.privacy.erase import _erase_blobs
    from hortus.privacy.ownership import table_named
    from hortus.storage import Storage

    person = await live(hortus, mailbox)
    await person.client.delete("/api/user/me")
    await idle(hortus)
    async with hortus.database.transaction() as tx:
        assert await begin_erasure(tx, person.id)
        begun = update(AccountDeletion).where(AccountDeletion.user_id == person.id)
        await tx.execute(begun.values(status="erasing", erase_at=clock.EPOCH))
    if died_after != "begin":
        await _erase_blobs(hortus.database, hortus.resources[Storage], person.id)
    if died_after == "half the tables":
        for name in list(DATA_MAP)[:12]:
            table = table_named(name)
            await rows.remove(hortus.database, table, DATA_MAP[name].owner(table, person.id))
    await grace_passes(hortus, person.id)
    await idle(hortus)
    left = [each for each in await found_in_tables(hortus, [EMAIL, MOBILE]) if not each.startswith(BY_LAW)]
    assert left == [] or died_after == "half the tables"
