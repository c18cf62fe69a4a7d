"""A copy of everything, and nothing that opens anything."""

import io
import json
import zipfile
from datetime import timedelta

import time_machine
from sqlalchemy import select, text, update
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import Hortus
from tests.privacy.conftest import EMAIL, MOBILE, NAME, SAID, idle, live

from hortus.core import clock
from hortus.privacy import DATA_MAP
from hortus.privacy.exports import sweep_exports
from hortus.privacy.tables import DataExport
from hortus.storage import Storage

PATH = "/api/user/data-export"


async def ready(hortus: Hortus, client) -> dict:
    asked = await client.post(PATH)
    assert asked.status_code == 202, asked.text
    assert asked.json()["status"] == "building"
    await idle(hortus)
    found = (await client.get(PATH)).json()
    assert found["status"] == "ready", found
    return found


async def test_everything_is_in_it_and_no_secret_is(hortus: Hortus, mailbox: Mailbox):
    person = await live(hortus, mailbox)
    found = await ready(hortus, person.client)
    answer = await hortus.anonymous().get(found["url"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith('attachment; filename="my-data-')
    assert len(answer.content) == found["bytes"]
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    names = archive.namelist()
    assert {f"{name}.json" for name, rule in DATA_MAP.items() if rule.excluded is None} < set(names)
    files = [name for name in names if name.startswith("files/")]
    assert len(files) == 2
    assert all(archive.read(name) for name in files)

    def rows(name: str) -> list[dict]:
        return json.loads(archive.read(f"{name}.json"))

    assert {row["value"] for row in rows("identifiers")} == {EMAIL, MOBILE}
    assert [row["name"] for row in rows("users")] == [NAME]
    assert SAID in [row["content"] for row in rows("messages")]
    assert {row["prompt"] for row in rows("generations")} == {SAID}
    assert [row["amount_minor"] for row in rows("payments")] == [500_00]
    assert {(row["kind"], row["given"]) for row in rows("consent_records")} == {("terms", True), ("marketing", True)}
    assert len(rows("ledger_entries")) >= 3
    assert len(rows("credit_reservations")) == 3
    everything = b"".join(archive.read(name) for name in names)
    assert [secret for secret in person.secrets if secret.encode() in everything] == []
    async with hortus.database.snapshot() as tx:
        kept = (
            await tx.execute(text("SELECT password_hash FROM users WHERE id = :id"), {"id": person.id})
        ).scalar_one()
        digests = (await tx.execute(text("SELECT digest FROM api_key_secrets"))).scalars().all()
        digests += (await tx.execute(text("SELECT digest FROM recovery_codes"))).scalars().all()
        digests += (await tx.execute(text("SELECT digest FROM refresh_tokens"))).scalars().all()
        digests += (await tx.execute(text("SELECT sealed FROM totp_factors"))).scalars().all()
    assert [digest for digest in [kept, *digests] if digest.encode() in everything] == []
    assert "How each" not in archive.read("README.txt").decode()
    assert "refresh_tokens: only digests of secrets" in archive.read("README.txt").decode()
    await idle(hortus)
    assert any("ready to download" in mail for mail in mailbox.to(EMAIL))


async def test_the_export_contains_no_data_of_others(hortus: Hortus, mailbox: Mailbox):
    await live(hortus, mailbox)
    other = await hortus.customer("other@people.example")
    found = await ready(hortus, other)
    archive = zipfile.ZipFile(io.BytesIO((await other.get(found["url"])).content))
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"other@people.example" in everything
    assert [word for word in (EMAIL, MOBILE, NAME, SAID) if word.encode() in everything] == []


async def test_the_link_is_signed_and_short_lived(hortus: Hortus, mailbox: Mailbox):
    client, stranger = await hortus.customer(EMAIL), await hortus.customer()
    assert (await client.get(PATH)).json()["code"] == "no_data_export"
    found = await ready(hortus, client)
    assert (await stranger.get(PATH)).status_code == 404
    url, anonymous = found["url"], hortus.anonymous()
    forged = [url[:-1] + ("A" if url[-1] != "A" else "B"), url.replace("exp=", "exp=9"), url.split("?")[0]]
    forged.append(url.replace(found["id"], "0" * 8 + found["id"][8:]))
    for each in forged:
        assert (await anonymous.get(each)).status_code == 404, each
    part = await anonymous.get(url, headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"PK\x03\x04")
    with time_machine.travel(clock.now() + timedelta(seconds=3600), tick=True):
        late = await anonymous.get(url)
    assert (late.status_code, late.json()["code"]) == (410, "export_link_expired")
    assert (await client.delete("/api/user/me")).status_code == 202
    assert (await anonymous.get(url)).status_code == 404


async def test_one_is_built_at_a_time_and_old_ones_go(hortus: Hortus, mailbox: Mailbox):
    client = await hortus.customer(EMAIL)
    first = await client.post(PATH, headers={"Idempotency-Key": "once"})
    again = await client.post(PATH, headers={"Idempotency-Key": "once"})
    assert first.json()["id"] == again.json()["id"]
    await idle(hortus)
    storage, blob = hortus.resources[Storage], f"exports/{first.json()['id']}"
    assert await storage.size(blob) > 0
    assert await sweep_exports(hortus.database, storage) == 0
    async with hortus.database.transaction() as tx:
        await tx.execute(update(DataExport).values(expires_at=clock.EPOCH))
    assert (await client.get(PATH)).json()["status"] == "expired"
    assert (await client.get(PATH)).json()["url"] is None
    assert await sweep_exports(hortus.database, storage) == 1
    assert [each.key async for each in storage.list("exports")] == []
    async with hortus.database.snapshot() as tx:
        assert (await tx.execute(select(DataExport.status))).scalars().all() == ["expired"]


async def test_an_api_key_and_a_stale_session_get_nothing(hortus: Hortus, mailbox: Mailbox):
    client = await hortus.customer(EMAIL)
    key = (await client.post("/api/keys", json={"name": "Mine"})).json()["secret"]
    by_key = hortus.anonymous()
    by_key.headers["Authorization"] = f"Bearer {key}"
    for method, path in (("POST", PATH), ("GET", PATH), ("DELETE", "/api/user/me")):
        assert (await by_key.request(method, path)).status_code == 403, path
    async with hortus.database.transaction() as tx:
        await tx.execute(text("UPDATE sessions SET authenticated_at = '2020-01-01 00:00:00'"))
    for method, path in (("POST", PATH), ("DELETE", "/api/user/me")):
        answer = await client.request(method, path)
        assert answer.json()["code"] == "reauthentication_required", path
