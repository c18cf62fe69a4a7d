"""A script that guesses all day gets nowhere, its target is told, and the owner still gets in."""

import time

import time_machine
from sqlalchemy import select
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import Hortus, serve

from hortus import auth
from hortus.auth import otp
from hortus.auth.otp import OtpRequest, Target, attempts
from hortus.auth.otp.delivery import write_code
from hortus.auth.tables import OneTimeCode
from hortus.core.db import Database
from hortus.core.errors import TooManyRequests
from hortus.core.http import Http
from hortus.core.settings import Settings
from hortus.ops.configuration import read as read_configuration

NUMBER = "+919812345678"
TARGET = Target("mobile", NUMBER)


async def test_the_target_is_told_and_its_owner_gets_in(hortus: Hortus, mailbox: Mailbox):
    owner, script = hortus.anonymous(), hortus.anonymous()
    await owner.post("/auth/send-otp", json={"mobile_number": NUMBER})
    body = {"mobile_number": NUMBER, "code": await mailbox.code(NUMBER)}
    assert (await owner.post("/auth/verify-otp", json=body)).status_code == 200
    with time_machine.travel(time.time() + 61, tick=True):
        await script.post("/auth/send-otp", json={"mobile_number": NUMBER})
        sent = await mailbox.code(NUMBER, 2)
        guessed = [f"{number:06}" for number in range(60) if f"{number:06}" != sent]
        answers = [
            await script.post("/auth/verify-otp", json={"mobile_number": NUMBER, "code": code}) for code in guessed
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert "wrong codes" in await mailbox.arrived(NUMBER, 3)
    with time_machine.travel(time.time() + 122, tick=True):
        assert (await owner.post("/auth/send-otp", json={"mobile_number": NUMBER})).status_code == 200
        body = {"mobile_number": NUMBER, "code": await mailbox.code(NUMBER, 4)}
        assert (await owner.post("/auth/verify-otp", json=body)).status_code == 200


async def test_a_day_of_guessing_makes_codes_longer_without_lockout(database: Database, tmp_path, monkeypatch):
    """A script that never sleeps: every code it may have, every try it has, from addresses without number."""
    settings = Settings(data_dir=tmp_path, secret_key="k" * 40)
    hasher = auth.OtpHasher(settings, auth.OtpSettings())
    async with Http():
        database.context.configuration = read_configuration(settings)
        short = long = 0
        with time_machine.travel(1_800_000_000, tick=False) as clock:
            locked = 0
            for step in range(24 * 5):
                clock.shift(720)
                otp_request = OtpRequest("sign_in", TARGET, f"10.0.{step}.1", "en")
                async with database.transaction() as tx:
                    await otp.request_otp(tx, hasher, otp_request)
                    request = (await tx.execute(select(OneTimeCode.id))).scalar_one()
                    digits = attempts.digits_after(
                        await attempts.wrong_today(tx, hasher.target_digest(TARGET)), hasher.rules.long_codes_after
                    )
                    await write_code(tx, hasher, request)
                checked = attempts.TRIES
                for number in range(7):
                    try:
                        async with database.transaction() as tx:
                            assert await otp.check_otp(tx, hasher, otp_request, f"{number:0{digits}}") is None
                    except TooManyRequests:  # twenty in any hour, however many codes were sent
                        checked, locked = 0, locked + 1
                        break
                if digits == 6:
                    short += checked
                else:
                    long += checked
            assert locked >= 20
            # The chance of a day is some 55 in a million, and next to nothing more from the long ones.
            assert short <= 2 * (hasher.rules.long_codes_after + attempts.TRIES)  # the day turned once
            assert long > short
            clock.shift(3600)
            owner = OtpRequest("sign_in", TARGET, "192.0.2.7", "en")
            known = "0" * 9 + "7"
            async with database.transaction() as tx:
                await otp.request_otp(tx, hasher, owner)
                row = (await tx.execute(select(OneTimeCode))).scalar_one()
                row.digest = hasher.code_digests("sign_in", TARGET, row.id, known)[0]
                await tx.flush()
            async with database.transaction() as tx:  # guesses from elsewhere leave the owner their tries
                stranger = OtpRequest("sign_in", TARGET, "10.9.9.9", "en")
                for number in range(9):
                    assert await otp.check_otp(tx, hasher, stranger, f"{number:06}") is None
            async with database.transaction() as tx:
                assert await otp.check_otp(tx, hasher, owner, known) is not None


async def test_the_pause_grows_but_never_beyond_ten_minutes():
    assert [int(attempts.pause_after(wrong).total_seconds()) for wrong in (0, 4, 5, 10, 15, 20, 25, 30, 1000)] == [
        60, 60, 60, 120, 240, 480, 600, 600, 600,
    ]  # fmt: skip


async def test_caps_hold_by_address_and_by_country(database_url: str, tmp_path, monkeypatch):
    monkeypatch.setenv("CODES_PER_ADDRESS", "3")
    monkeypatch.setenv("CODES_PER_COUNTRY", "2")
    monkeypatch.setenv("CODES_BY_COUNTRY", '{"1": 0}')
    async with serve(database_url, tmp_path, rate_limits_enabled=True) as hortus:
        client = hortus.anonymous()
        closed = await client.post("/auth/send-otp", json={"mobile_number": "+1 415 555 2671"})
        assert (closed.status_code, closed.json()["code"]) == (422, "country_not_served")
        numbers = ["+919812345678", "+919812345679", "+919812345670"]
        answers = [await client.post("/auth/send-otp", json={"mobile_number": number}) for number in numbers]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[-1].json()["limit"] == "codes_per_country"
        mails = [await client.post("/auth/send-otp", json={"email": f"a{n}@example.com"}) for n in range(2)]
        assert [answer.status_code for answer in mails] == [200, 429]
        assert mails[-1].json()["limit"] == "codes_per_address"
        async with hortus.database.snapshot() as tx:
            assert len((await tx.execute(select(OneTimeCode))).all()) == 3  # what was refused left nothing


def test_a_refusal_says_how_long_to_wait():
    from hortus.auth.otp.send_limits import rate_limited

    problem = rate_limited("codes_per_target", 0.2)
    assert isinstance(problem, TooManyRequests)
    assert problem.headers == {"Retry-After": "1"}
