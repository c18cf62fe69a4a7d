"""Codes are sent before all other queued messages."""

from sqlalchemy import text

from hortus import auth, senders, tasks
from hortus.auth import otp
from hortus.auth.otp import OtpRequest, Target
from hortus.auth.otp.delivery import write_code
from hortus.core.db import Database
from hortus.core.http import Http
from hortus.core.settings import Settings
from hortus.ops.configuration import read as read_configuration
from hortus.tasks import queue
from hortus.tasks.concurrency import slots_by_queue
from hortus.tasks.registry import TASK_TYPES


async def test_codes_go_before_all_other_messages(database: Database, tmp_path):
    settings = Settings(data_dir=tmp_path, secret_key="k" * 40)
    hasher = auth.OtpHasher(settings, auth.OtpSettings())
    database.context.configuration = read_configuration(settings)
    async with Http():
        async with database.transaction() as tx:
            for number in range(30):
                target = Target("email", f"reader{number}@example.com")
                await otp.notify_target(tx, target, "password_changed", user_id=None)
        async with database.transaction() as tx:
            await otp.request_otp(
                tx, hasher, OtpRequest("sign_in", Target("email", "asha@example.com"), "192.0.2.1", "en")
            )
            await otp.request_otp(
                tx, hasher, OtpRequest("sign_in", Target("mobile", "+919812345678"), "192.0.2.1", "en")
            )
        async with database.transaction() as tx:
            first = await queue.claim(tx, "mail", 2, worker="w", lease=60)
        assert [task.name for task in first] == ["auth.deliver_otp"] * 2
        for task in first:
            async with database.transaction() as tx:
                await write_code(tx, hasher, task.payload["id"])
                await tasks.finish(tx, task)
        async with database.transaction() as tx:
            second = await queue.claim(tx, "mail", 2, worker="w", lease=60)
        assert sorted(task.name for task in second) == ["senders.mail", "senders.sms"]
        async with database.snapshot() as tx:
            query = "SELECT priority FROM tasks WHERE status = 'running'"
            assert {row.priority for row in await tx.execute(text(query))} == {senders.URGENT}


def test_messages_are_sent_several_at_a_time():
    assert slots_by_queue("", 4)["mail"] >= 8
    assert TASK_TYPES["senders.mail"].queue == "mail"
