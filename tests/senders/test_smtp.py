"""Mail over a real SMTP conversation: encrypted, signed in, refused, delayed."""

import socket
from collections.abc import Callable

import pytest
from tests.emulators.smtp import MailServer
from tests.senders.conftest import ended, everything

from hortus import senders
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.tasks.tables import Task

ADDRESS, CODE = "asha.rao@example.com", "493817"
USER = ("garden", "a password: with spaces")


async def write(database: Database, to: str = ADDRESS, language: str = "en") -> None:
    async with database.transaction() as tx:
        await senders.send_mail(
            tx,
            to=to,
            template="verify_email",
            language=language,
            values={"code": CODE, "minutes": 10, "link": "https://studio.example.com/v?a=1&b=2", "name": "Asha"},
        )


def use(monkeypatch: pytest.MonkeyPatch, server: MailServer, **changes: str) -> None:
    for name, value in {**server.environment(), **changes}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
async def test_a_mail_arrives_whole(security, database, open_outbox: Callable[[], Resources], monkeypatch, tmp_path):
    with MailServer(tmp_path, security, USER if security == "starttls" else None) as server:
        use(monkeypatch, server, MESSAGE_BRAND="Orchard")
        resources = open_outbox()
        chosen = resources[senders.Senders]
        assert (chosen.mail.id, chosen.sms.id, chosen.mail.real, chosen.sms.real) == ("smtp", "console", True, False)
        await write(database, language="hi")
        task = await ended(resources)
    assert (task.status, task.payload) == ("done", {})
    (mail,), (envelope,) = server.inbox, server.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("garden@example.com", [ADDRESS])
    assert (mail["From"], mail["To"]) == ("Orchard <garden@example.com>", ADDRESS)
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == (f"<{task.id}@example.com>", "auto-generated")
    assert "सत्यापित" in mail["Subject"]
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert f"    {CODE}" in text.get_content().splitlines()
    assert "https://studio.example.com/v?a=1&b=2" in text.get_content()
    assert "v?a=1&amp;b=2" in html.get_content()
    assert server.signed_in == (["garden"] if security == "starttls" else [])
    assert ADDRESS not in await everything(database)


async def test_a_full_mailbox_is_tried_again_and_an_unknown_one_is_not(
    database, open_outbox, monkeypatch, tmp_path, hurry, capsys
):
    with MailServer(tmp_path) as server:
        use(monkeypatch, server)
        resources = open_outbox()
        server.answers.extend(["452 Mailbox full, try later", "451 Local error"])
        server.recipient_answers.append("450 Greylisted")
        await write(database)
        task = await ended(resources)
        assert (task.status, task.attempts, len(server.inbox)) == ("done", 4, 1)
        async with database.transaction() as tx:
            await tx.execute(Task.__table__.delete())
        server.recipient_answers.append("550 No such user")
        await write(database)
        dead = await ended(resources)
    assert (dead.status, dead.attempts, dead.error) == ("dead", 1, "the mail server answered 550")
    assert len(server.inbox) == 1
    assert ADDRESS not in await everything(database)
    shown = capsys.readouterr()
    assert ADDRESS not in shown.out + shown.err
    assert "message_refused" in shown.out + shown.err


async def test_content_that_is_refused_for_good_is_dead(database, open_outbox, monkeypatch, tmp_path, hurry):
    with MailServer(tmp_path) as server:
        use(monkeypatch, server)
        server.answers.append("554 Looks like spam")
        resources = open_outbox()
        await write(database)
        dead = await ended(resources)
    assert (dead.status, dead.attempts, dead.error) == ("dead", 1, "the mail server answered 554")


async def test_a_wrong_password_waits_for_the_operator(database, open_outbox, monkeypatch, tmp_path, hurry):
    with MailServer(tmp_path, user=USER) as server:
        use(monkeypatch, server, SMTP_PASSWORD="wrong")
        resources = open_outbox()
        await write(database)
        dead = await ended(resources)
        assert (dead.status, dead.attempts) == ("dead", 10)
        assert "user name and password (535)" in dead.error
        use(monkeypatch, server)
        mended = open_outbox()
        from hortus import tasks

        async with database.transaction() as tx:
            await tasks.requeue(tx, dead.id)
        assert (await ended(mended)).status == "done"
    assert len(server.inbox) == 1


async def test_an_untrusted_certificate_gets_nothing(database, open_outbox, monkeypatch, tmp_path, hurry):
    with MailServer(tmp_path, user=USER) as server:
        use(monkeypatch, server)
        monkeypatch.delenv("SMTP_CA_FILE")
        resources = open_outbox()
        await write(database)
        dead = await ended(resources)
    assert dead.status == "dead"
    assert (server.inbox, server.signed_in) == ([], [])


async def test_a_server_without_encryption_gets_no_password(database, open_outbox, monkeypatch, tmp_path, hurry):
    with MailServer(tmp_path, "none") as server:
        use(monkeypatch, server, SMTP_TLS="starttls", SMTP_USERNAME="u", SMTP_PASSWORD="p")
        resources = open_outbox()
        await write(database)
        dead = await ended(resources)
    assert dead.status == "dead"
    assert (server.inbox, server.signed_in) == ([], [])


async def test_a_silent_server_times_out(database, open_outbox, monkeypatch, hurry):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for name, value in {
            "SMTP_SERVER": "127.0.0.1",
            "SMTP_PORT": str(silent.getsockname()[1]),
            "FROM_EMAIL": "garden@example.com",
            "SMTP_TIMEOUT": "0.05",
        }.items():
            monkeypatch.setenv(name, value)
        resources = open_outbox()
        await write(database)
        dead = await ended(resources)
    assert (dead.status, dead.attempts) == ("dead", 10)
    assert "cannot be used" in dead.error


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"SMTP_FROM": ""}, "SMTP_FROM"),
        ({"SMTP_FROM": "garden"}, "SMTP_FROM"),
        ({"SMTP_USERNAME": "u"}, "SMTP_PASSWORD"),
        ({"SMTP_USERNAME": "u", "SMTP_PASSWORD": "p", "SMTP_TLS": "none"}, "in the clear"),
        ({"SMTP_CA_FILE": "/nowhere/ca.pem"}, "SMTP_CA_FILE"),
    ],
)
async def test_what_is_missing_is_named(changes, word, open_outbox, monkeypatch):
    for name, value in {"SMTP_HOST": "mail.example.com", "SMTP_FROM": "garden@example.com", **changes}.items():
        monkeypatch.setenv(name, value)
    assert word in open_outbox().get(senders.Senders).mail.missing()
