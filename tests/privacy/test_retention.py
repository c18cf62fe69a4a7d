"""What is old goes, what is young or still needed stays."""

from datetime import timedelta

import time_machine
from sqlalchemy import insert, select, text, update
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import Hortus
from tests.privacy.conftest import live

from hortus.billing.tables import WebhookEvent
from hortus.core import clock, ids
from hortus.privacy.retention import sweep_old, sweep_sessions, sweep_webhook_bodies
from hortus.privacy.settings import PrivacySettings


async def count(hortus: Hortus, table: str, where: str = "1 = 1") -> int:
    async with hortus.database.snapshot() as tx:
        return int((await tx.execute(text(f"SELECT count(*) FROM {table} WHERE {where}"))).scalar_one())


async def test_nothing_young_is_swept(hortus: Hortus, mailbox: Mailbox):
    person = await live(hortus, mailbox)
    tables = ("sessions", "refresh_tokens", "quota_uses", "budget_uses", "messages", "chatrooms", "files")
    before = [await count(hortus, table) for table in tables]
    assert all(before)
    await sweep_old(hortus.database, hortus.resources[PrivacySettings])
    assert [await count(hortus, table) for table in tables] == before
    assert (await person.client.get("/api/user/me")).status_code == 200


async def test_what_is_old_is_swept_and_the_books_still_hold(hortus: Hortus, mailbox: Mailbox):
    person = await live(hortus, mailbox)
    rooms = (await person.client.get("/api/chatroom")).json()["items"]
    assert (await person.client.delete(f"/api/chatroom/{rooms[0]['id']}")).status_code == 204
    parts = await count(hortus, "reservation_parts")
    with time_machine.travel(clock.now() + timedelta(days=200), tick=True):
        await sweep_old(hortus.database, hortus.resources[PrivacySettings])
    for table in ("sessions", "refresh_tokens", "quota_uses", "budget_uses", "messages", "chatrooms"):
        assert await count(hortus, table) == 0, table
    assert await count(hortus, "webhook_events", "body IS NOT NULL") == 0
    assert await count(hortus, "webhook_events") > 0
    assert await count(hortus, "quota_usage") > 0
    assert await count(hortus, "budget_usage") > 0
    assert await count(hortus, "reservation_parts") == parts  # the fixture checks the ledger afterwards


async def test_a_session_in_use_stays_however_old(hortus: Hortus):
    client = await hortus.customer()
    with time_machine.travel(clock.now() + timedelta(days=29), tick=True):
        assert await sweep_sessions(hortus.database, 20) == 0
    assert (await client.get("/api/user/me")).status_code == 200


async def test_news_that_waits_keeps_its_words(hortus: Hortus):
    old = clock.now() - timedelta(days=400)
    made = {"processed": None, "pending": b"{}", "failed": b"{}", "ignored": None}
    async with hortus.database.transaction() as tx:
        for number, status in enumerate(made):
            row = {"gateway": "stripe", "event_id": f"evt_{number}", "kind": "x", "body": b"{}", "received_at": old}
            row |= {"id": ids.lowest_at(old)[:-1] + str(number), "status": status, "occurred_at": old}
            await tx.execute(insert(WebhookEvent), row)
        await tx.execute(update(WebhookEvent).where(WebhookEvent.status == "pending").values(kind="y"))
    await sweep_webhook_bodies(hortus.database, 90)
    async with hortus.database.snapshot() as tx:
        found = dict((await tx.execute(select(WebhookEvent.status, WebhookEvent.body))).all())
    assert {status: found[status] for status in made} == made


def test_ids_of_a_moment_stand_between_those_before_and_after():
    second = timedelta(seconds=1)
    made = ids.new()
    assert ids.is_id(ids.lowest_at(clock.now()))
    assert ids.lowest_at(clock.now() - second) < made < ids.lowest_at(clock.now() + second)
