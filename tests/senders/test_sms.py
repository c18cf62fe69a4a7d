"""Text messages over real HTTP: Twilio, and a gateway of any kind."""

import json
from collections.abc import Callable

import pytest
from aiohttp import web
from tests.emulators.base import Emulator
from tests.emulators.twilio import TwilioEmulator
from tests.senders.conftest import ended, everything

from hortus import senders
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.tasks.tables import Task

NUMBER, CODE = "+919812345678", "493817"


async def write(database: Database, to: str = NUMBER) -> None:
    async with database.transaction() as tx:
        await senders.send_sms(tx, to=to, template="sign_in_code", language="en", values={"code": CODE, "minutes": 10})


@pytest.fixture
async def twilio(monkeypatch: pytest.MonkeyPatch):
    async with TwilioEmulator(retry_after="0") as emulator:
        for name, value in {
            "TWILIO_ACCOUNT_SID": emulator.account_sid,
            "TWILIO_AUTH_TOKEN": emulator.auth_token,
            "TWILIO_PHONE_NUMBER": emulator.sender,
            "TWILIO_BASE_URL": emulator.url,
        }.items():
            monkeypatch.setenv(name, value)
        yield emulator


async def test_a_message_is_sent_through_twilio_once(database, open_outbox: Callable[[], Resources], twilio):
    resources = open_outbox()
    chosen = resources[senders.Senders]
    assert (chosen.mail.id, chosen.sms.id, chosen.mail.real, chosen.sms.real) == ("console", "twilio", False, True)
    await write(database)
    task = await ended(resources)
    assert (task.status, task.payload) == ("done", {})
    text = f"{CODE} is your Hortus code, good for 10 minutes. Never share it."
    assert twilio.sent == [{"To": NUMBER, "From": twilio.sender, "Body": text}]


async def test_a_messaging_service_stands_for_a_number(database, open_outbox, twilio, monkeypatch):
    monkeypatch.delenv("TWILIO_PHONE_NUMBER")
    assert "TWILIO_PHONE_NUMBER" in open_outbox().get(senders.Senders).sms.missing()
    monkeypatch.setenv("TWILIO_MESSAGING_SERVICE_SID", twilio.service_sid)
    resources = open_outbox()
    await write(database)
    assert (await ended(resources)).status == "done"
    assert twilio.sent[0]["MessagingServiceSid"] == twilio.service_sid


@pytest.mark.parametrize("mode", ["429", "500", "503", "hang", "half_headers", "401"])
async def test_what_passes_is_tried_again(mode, database, open_outbox, twilio, monkeypatch, hurry):
    monkeypatch.setenv("TWILIO_TIMEOUT", "0.1")
    twilio.fail(mode, times=2)
    resources = open_outbox()
    await write(database)
    task = await ended(resources)
    assert (task.status, task.attempts, len(twilio.sent)) == ("done", 3, 1)


async def test_a_wrong_number_is_dead_at_once_and_not_repeated(database, open_outbox, twilio, hurry, capsys):
    resources = open_outbox()
    await write(database, to="+0")
    task = await ended(resources)
    assert (task.status, task.attempts, task.error) == ("dead", 1, "Twilio answered 400, code 21211")
    twilio.fail("400")
    async with database.transaction() as tx:
        await tx.execute(Task.__table__.delete())
    await write(database)
    assert (await ended(resources)).status == "dead"
    shown = capsys.readouterr()
    for text in (await everything(database), shown.out, shown.err):
        assert CODE not in text
        assert NUMBER not in text


async def test_what_never_passes_ends_as_a_dead_letter(database, open_outbox, twilio, hurry):
    twilio.fail("500")
    resources = open_outbox()
    await write(database)
    task = await ended(resources)
    assert (task.status, task.attempts, task.error) == ("dead", 10, "Twilio answered 500, code 20500")
    assert "sealed" in task.payload


class Gateway(Emulator):
    def routes(self):
        return [web.post("/send", self._send)]

    def error(self, mode, status):
        return {}, {"error": mode}

    async def _send(self, request: web.Request) -> web.Response:
        return web.json_response({"ok": True})


async def test_any_gateway_that_takes_json(database, open_outbox, monkeypatch, hurry):
    async with Gateway() as gateway:
        monkeypatch.setenv("SMS_HTTP_URL", f"{gateway.url}/send")
        monkeypatch.setenv("SMS_HTTP_HEADERS", json.dumps({"Authorization": "Bearer g"}))
        shape = {"sender": "HORTUS", "messages": [{"mobile": "{to}", "body": 'Say "{text}" ({text})'}], "route": 4}
        monkeypatch.setenv("SMS_HTTP_BODY", json.dumps(shape))
        resources = open_outbox()
        assert resources[senders.Senders].sms.id == "sms_http"
        gateway.fail("error", times=1)
        gateway.fail("rate_limited", times=1)
        await write(database)
        task = await ended(resources)
        assert (task.status, task.attempts) == ("done", 3)
        call = gateway.calls[-1]
        text = f"{CODE} is your Hortus code, good for 10 minutes. Never share it."
        assert call.json["messages"] == [{"mobile": NUMBER, "body": f'Say "{text}" ({text})'}]
        assert (call.json["sender"], call.json["route"]) == ("HORTUS", 4)
        assert call.headers["Authorization"] == "Bearer g"
        assert len({each.headers["Idempotency-Key"] for each in gateway.calls}) == 1
        async with database.transaction() as tx:
            await tx.execute(Task.__table__.delete())
        gateway.fail("400")
        await write(database)
        assert (await ended(resources)).status == "dead"


async def test_a_body_without_its_marks_is_named(open_outbox, monkeypatch):
    monkeypatch.setenv("SMS_HTTP_URL", "https://sms.example.com")
    monkeypatch.setenv("SMS_HTTP_BODY", '{"to": "{to}"}')
    assert "{text}" in open_outbox().get(senders.Senders).sms.missing()
