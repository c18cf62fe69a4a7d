"""A message exists if its transaction commits, is unreadable while it waits, and is gone once it was sent."""

import json

import pytest
from jinja2 import UndefinedError
from sqlalchemy import select, update
from tests.senders.conftest import everything, sending

from hortus import senders
from hortus.core.db import Database, db_now
from hortus.tasks import queue
from hortus.tasks.tables import Task

ADDRESS, CODE, NUMBER = "asha.rao@example.com", "493817", "+919812345678"


async def write(database: Database) -> None:
    async with database.transaction() as tx:
        await senders.send_mail(
            tx, to=ADDRESS, template="sign_in_code", language="en", values={"code": CODE, "minutes": 10}
        )
        await senders.send_sms(
            tx, to=NUMBER, template="sign_in_code", language="hi-IN", values={"code": CODE, "minutes": 10}
        )


async def states(database: Database) -> list[tuple]:
    async with database.snapshot() as tx:
        query = select(Task.name, Task.status, Task.attempts, Task.error).order_by(Task.name)
        return [tuple(row) for row in (await tx.execute(query)).all()]


async def test_messages_are_sealed_while_they_wait_and_gone_once_they_are_sent(database, open_outbox, capsys):
    resources = open_outbox()
    await write(database)
    waiting = await everything(database)
    assert "sealed" in waiting
    for secret in (ADDRESS, CODE, NUMBER, "9812345678", "asha.rao"):
        assert secret not in waiting
    async with sending(resources) as engine:
        await engine.idle()
    shown = capsys.readouterr()
    assert shown.out.count(CODE) >= 2
    assert ADDRESS in shown.out
    assert NUMBER in shown.out
    assert CODE not in shown.err
    assert await states(database) == [("senders.mail", "done", 1, None), ("senders.sms", "done", 1, None)]
    assert "sealed" not in await everything(database)


async def test_nothing_is_sent_when_the_transaction_rolls_back(database, open_outbox, capsys):
    resources = open_outbox()
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with database.transaction() as tx:
            await senders.send_mail(
                tx, to=ADDRESS, template="sign_in_code", language="en", values={"code": CODE, "minutes": 10}
            )
            raise RuntimeError("changed my mind")
    async with sending(resources) as engine:
        await engine.idle()
    assert capsys.readouterr().out == ""


async def test_mistakes_of_the_caller_are_told_at_once(database, open_outbox):
    open_outbox()
    good = {"to": ADDRESS, "template": "sign_in_code", "language": "en", "values": {"code": "1", "minutes": 1}}
    for change, error in (
        ({"template": "../../etc/passwd"}, ValueError),
        ({"template": "layout"}, ValueError),
        ({"values": {"code": "1"}}, UndefinedError),
        ({"to": "a@example.com\r\nBcc: all@example.com"}, ValueError),
        ({"to": ""}, ValueError),
        ({"to": "a" * 400}, ValueError),
        *(
            ({"values": {"code": "1", "minutes": 1, "link": link}}, ValueError)
            for link in (
                "https://evil.example.com/v",
                "https://studio.example.com@evil.example.com/v",
                "https://studio.example.com:8443/v",
                "http://studio.example.com/v",
                "https://studio.example.com\\@evil.example.com/v",
                "//studio.example.com/v",
                "javascript:alert(1)",
                7,
            )
        ),
    ):
        with pytest.raises(error):
            async with database.transaction() as tx:
                await senders.send_mail(tx, **{**good, **change})
    with pytest.raises(ValueError, match="sms"):
        async with database.transaction() as tx:
            await senders.send_sms(tx, **{**good, "template": "verify_email"})
    assert await states(database) == []


async def test_messages_need_the_settings_of_the_process(database):
    database.context.configuration = None
    async with database.transaction() as tx:
        with pytest.raises(LookupError, match="no configuration"):
            await senders.send_sms(tx, to=NUMBER, template="password_changed", language="en", values={})


async def test_a_changed_key_buries_the_message_and_the_sweep_forgets_it_after_a_week(database, open_outbox):
    resources = open_outbox()
    await write(database)
    async with database.transaction() as tx:
        payload = (await tx.execute(select(Task.payload).limit(1))).scalar_one()
        spoilt = {"sealed": payload["sealed"][:-8] + "AAAAAAA="}
        await tx.execute(update(Task).values(payload=spoilt))
    async with sending(resources) as engine:
        await engine.idle()
    assert {(status, attempts) for _, status, attempts, _ in await states(database)} == {("dead", 1)}
    async with database.transaction() as tx:
        assert await queue.sweep_tasks(tx) == 0
        await tx.execute(update(Task).values(finished_at=db_now(-8 * 86400)))
        assert await queue.sweep_tasks(tx) == 2
    assert json.dumps(await states(database)) == "[]"
