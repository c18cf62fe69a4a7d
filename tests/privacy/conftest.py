"""A server on each of the two databases with a vendor, a post and a gateway, and a person who uses all of it."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pyotp
import pytest
from sqlalchemy import insert, select, update
from tests.auth.passkeys.authenticator import ORIGIN, Authenticator, make_passkey
from tests.billing.conftest import buy, press, quiet
from tests.emulators.openai import OpenAIEmulator
from tests.files.draw import make_image
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import PASSWORD, Hortus, ended

from hortus.billing.tables import WebhookEvent
from hortus.core import clock, ids
from hortus.main.tables import metadata
from hortus.privacy.deletion import erase_due_accounts
from hortus.privacy.tables import AccountDeletion
from hortus.tasks.tables import Task

EMAIL, MOBILE, NAME = "asha.rao@people.example", "+919876543210", "Asha Quillfeather"
SAID = "the lighthouse keeper of Vypin"


@pytest.fixture
def server_options(vendor: OpenAIEmulator) -> dict[str, Any]:
    return {"knows_its_port": True, "frontend_base_url": ORIGIN}


@dataclass
class Person:
    """Somebody who used everything, and every secret they were ever given or gave."""

    client: httpx2.AsyncClient
    id: str
    secrets: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)

    def marks(self) -> list[str]:
        """What must be found nowhere once they are gone."""
        return [EMAIL, MOBILE, MOBILE.removeprefix("+"), NAME, SAID]


async def live(hortus: Hortus, mailbox: Mailbox) -> Person:
    """Sign up, verify an address and a number, set up every factor, make, upload, chat, buy, and be helped by staff."""
    client = hortus.anonymous()
    body = {"email": EMAIL, "password": PASSWORD, "name": NAME, "accept_terms": True, "marketing_consent": True}
    tokens = await _good(client.post("/api/auth/register", json=body), 201)
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    person = Person(client, tokens["user"]["id"], [PASSWORD, tokens["access_token"], tokens["refresh_token"]])
    link = await mailbox.token(EMAIL)
    person.secrets += [link, await mailbox.code(EMAIL)]
    await _good(client.post("/api/auth/verify-email", json={"token": link}))
    await _good(client.post("/api/user/identifiers", json={"mobile_number": MOBILE}), 202)
    code = await mailbox.code(MOBILE)
    person.secrets.append(code)
    await _good(client.post("/api/user/identifiers/verify", json={"mobile_number": MOBILE, "code": code}))

    key = await _good(client.post("/api/keys", json={"name": f"Key of {NAME}"}), 201)
    person.secrets.append(key["secret"])
    by_key = hortus.anonymous()
    by_key.headers["Authorization"] = f"Bearer {key['secret']}"
    await _good(by_key.post("/api/text/generate", json={"prompt": SAID}, headers={"Idempotency-Key": "text-1"}))
    await make_passkey(client, Authenticator(), name=f"Laptop of {NAME}")

    image = await _good(client.post("/api/image/generate", json={"prompt": SAID}), 202)
    await ended(client, image["id"])
    upload = {"file": (f"{NAME}.png", make_image())}
    person.links.append((await _good(client.post("/api/upload/file", files=upload), 201))["url"])
    room = await _good(client.post("/api/chatroom", json={"title": SAID}), 201)
    sent = await _good(client.post(f"/api/chatroom/{room['id']}/message", json={"content": SAID}), 202)
    await ended(client, sent["generation_id"])
    await _good(client.get("/api/chatroom"))

    order = await buy(client, plan="pro", currency="INR")
    await press(client, order, "pay")
    await quiet(hortus)
    await _staff_helps(hortus, person)
    await _a_gateway_tells(hortus)

    setup = await _good(client.post("/api/auth/totp/setup"))
    secret = setup["secret"]
    confirmed = await _good(client.post("/api/auth/totp/confirm", json={"code": pyotp.TOTP(secret).now()}))
    person.secrets += [secret, *confirmed["recovery_codes"]]
    return person


async def _good(call: Any, status: int = 200) -> dict[str, Any]:
    answer = await call
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def _staff_helps(hortus: Hortus, person: Person) -> None:
    staff, why = await hortus.staff("admin"), {"reason": f"Asked by {EMAIL}"}
    await _good(staff.post(f"/api/admin/users/{person.id}/credits", json={"amount": "1000000", **why}), 201)


async def _a_gateway_tells(hortus: Hortus) -> None:
    """News as a gateway of the real world writes it: with names and addresses."""
    now = clock.now()
    row = {
        "id": ids.new(), "gateway": "stripe", "event_id": "evt_1", "kind": "charge.succeeded", "status": "processed",
        "body": json.dumps({"billing_details": {"email": EMAIL.upper(), "phone": MOBILE, "name": NAME}}).encode(),
        "occurred_at": now, "received_at": now, "processed_at": now,
    }  # fmt: skip
    async with hortus.database.transaction() as tx:
        await tx.execute(insert(WebhookEvent), row)


async def leave(hortus: Hortus, person: Person) -> None:
    """Ask to be erased, and let the grace time pass."""
    await _good(person.client.delete("/api/user/me"), 202)
    await grace_passes(hortus, person.id)


async def grace_passes(hortus: Hortus, user_id: str) -> None:
    async with hortus.database.transaction() as tx:
        over = update(AccountDeletion).where(AccountDeletion.user_id == user_id)
        await tx.execute(over.values(erase_at=clock.EPOCH))
    await erase_due_accounts(hortus.resources, None)  # type: ignore[arg-type] # it asks nothing of its task
    await status_is(hortus, user_id, "erased")


async def status_is(hortus: Hortus, user_id: str, wanted: str, seconds: float = 30.0) -> None:
    query = select(AccountDeletion.status).where(AccountDeletion.user_id == user_id)
    async with asyncio.timeout(seconds):
        while True:
            async with hortus.database.snapshot() as tx:
                found = (await tx.execute(query.order_by(AccountDeletion.id.desc()).limit(1))).scalar_one()
            if found == wanted:
                return
            await asyncio.sleep(0.05)


async def idle(hortus: Hortus, seconds: float = 30.0) -> None:
    """Wait until no task is left to be done now."""
    waiting = select(Task.id).where(Task.status.in_(("queued", "running")), Task.run_at <= clock.now()).limit(1)
    async with asyncio.timeout(seconds):
        while True:
            async with hortus.database.snapshot() as tx:
                if (await tx.execute(waiting)).first() is None:
                    return
            await asyncio.sleep(0.05)


async def found_in_tables(hortus: Hortus, words: list[str]) -> list[str]:
    """Where any of the words stands, in any column of any row of any table."""
    hits = []
    async with hortus.database.snapshot() as tx:
        for table in metadata.sorted_tables:
            for row in (await tx.execute(select(table))).mappings():
                for column, value in row.items():
                    shown = _text(value)
                    hits += [f"{table.name}.{column}: {word}" for word in words if word.lower() in shown]
    return hits


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").lower()
    return json.dumps(value, ensure_ascii=False, default=str).lower()


def found_in_folder(folder: Path, words: list[str]) -> list[str]:
    """Files whose bytes or names hold any of the words."""
    return [
        str(path)
        for path in folder.rglob("*")
        for word in words
        if path.is_file() and (word.encode() in path.read_bytes() or word in path.name)
    ]


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[io.StringIO]:
    """Everything that is logged at the lowest level, as an operator would have it."""
    import logging

    import structlog

    from hortus.core.telemetry import log

    lines, root = io.StringIO(), logging.getLogger()
    before = root.handlers[:], root.level
    monkeypatch.setattr("sys.stderr", lines)
    log.configure("debug", "json")
    root.handlers[0].setLevel(logging.DEBUG)
    yield lines  # type: ignore[misc] # a plain generator
    root.handlers[:], _ = before
    root.setLevel(before[1])
    structlog.reset_defaults()
