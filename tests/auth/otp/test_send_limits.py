"""Limits on messages that a request can trigger; text messages go to mobile numbers only."""

import time
from datetime import UTC, datetime

import pytest
import time_machine
from sqlalchemy import select, text

from hortus import auth
from hortus.auth import otp
from hortus.auth.otp import OtpRequest, Target
from hortus.auth.tables import OneTimeCode
from hortus.core.db import Database
from hortus.core.errors import Invalid, TooManyRequests
from hortus.core.http import Http
from hortus.core.settings import Settings
from hortus.ops.configuration import read as read_configuration

TARGET = Target("mobile", "+919812345678")
PURPOSES = ("sign_in", "reset_password", "link")


@pytest.fixture
def hasher(tmp_path, monkeypatch: pytest.MonkeyPatch) -> auth.OtpHasher:
    return auth.OtpHasher(Settings(data_dir=tmp_path, secret_key="k" * 40), auth.OtpSettings())


async def ask(
    database: Database, hasher: auth.OtpHasher, target: Target, purpose="sign_in", address="192.0.2.1"
) -> str:
    """`sent`, or the name of the limit that was met."""
    try:
        async with database.transaction() as tx:
            await otp.request_otp(
                tx, hasher, OtpRequest(purpose, target, address, "en", "u" * 36 if purpose == "link" else "")
            )
    except TooManyRequests as refusal:
        return str(refusal.extra["limit"])
    return "sent"


async def test_any_hour_holds_five_codes_for_a_target_whatever_they_are_for(database: Database, hasher: auth.OtpHasher):
    sent: list[float] = []
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        for minute in range(3 * 60):
            if await ask(database, hasher, TARGET, PURPOSES[minute % 3], f"192.0.2.{minute}") == "sent":
                sent.append(minute)
            clock.shift(60)
    assert len(sent) == 15
    assert all(later - first >= 60 for first, later in zip(sent, sent[5:], strict=False)), sent


async def test_all_spellings_of_a_mailbox_count_as_one(database: Database, hasher: auth.OtpHasher):
    spellings = [Target("email", f"as.ha+{number}@gmail.com") for number in range(7)]
    answers = [await ask(database, hasher, target, address=f"192.0.2.{n}") for n, target in enumerate(spellings)]
    assert answers == ["sent"] * 5 + ["codes_per_target"] * 2


async def test_any_hour_holds_twenty_checked_codes_for_a_target(database: Database, hasher: auth.OtpHasher):
    checked, moments, limits = 0, [], set()
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        for step in range(30):  # every six minutes, two hours and a half
            purpose = PURPOSES[step % 3]
            await ask(database, hasher, TARGET, purpose, f"192.0.2.{step}")
            for number in range(5):
                subject = "u" * 36 if purpose == "link" else ""
                async with database.snapshot() as tx:
                    query = select(OneTimeCode.tries).where(OneTimeCode.purpose == purpose)
                    before = (await tx.execute(query)).scalar_one_or_none()
                otp_request = OtpRequest(purpose, TARGET, f"192.0.2.{step}", "en", subject)
                try:
                    async with database.transaction() as tx:
                        assert await otp.check_otp(tx, hasher, otp_request, f"{number:06}") is None
                        after = (await tx.execute(query)).scalar_one_or_none()
                except TooManyRequests as refusal:
                    limits.add(refusal.extra["limit"])
                    continue
                if after != before:
                    checked += 1
                    moments.append(time.time())
            clock.shift(360)
    assert checked > 20
    assert limits == {"code_tries_per_target"}
    assert all(later - first >= 3600 for first, later in zip(moments, moments[20:], strict=False))


async def test_an_address_a_country_and_a_day_have_their_caps(database: Database, tmp_path, monkeypatch):
    monkeypatch.setenv("CODES_PER_COUNTRY", "3")
    monkeypatch.setenv("CODES_PER_DAY", "5")
    monkeypatch.setenv("MAIL_CODES_PER_DAY", "4")
    settings = Settings(data_dir=tmp_path, secret_key="k" * 40, rate_limits_enabled=True)
    hasher = auth.OtpHasher(settings, auth.OtpSettings())
    morning = datetime(2027, 3, 1, 0, 30, tzinfo=UTC)
    with time_machine.travel(morning, tick=False) as clock:
        mails = [await ask(database, hasher, Target("email", f"a{n}@example.com")) for n in range(5)]
        assert mails == ["sent"] * 4 + ["mail_codes_per_day"]
        india = [await ask(database, hasher, Target("mobile", f"+9198123456{n:02}"), address="a") for n in range(4)]
        assert india == ["sent"] * 3 + ["codes_per_country"]
        usa = [await ask(database, hasher, Target("mobile", f"+1415555267{n}"), address="b") for n in range(3)]
        assert usa == ["sent"] * 2 + ["codes_per_day"]
        clock.move_to(datetime(2027, 3, 1, 23, 59, 50, tzinfo=UTC))
        assert await ask(database, hasher, Target("mobile", "+919812345699"), address="c") == "codes_per_country"
        clock.move_to(datetime(2027, 3, 2, 0, 0, 1, tzinfo=UTC))
        assert await ask(database, hasher, Target("mobile", "+919812345699"), address="c") == "sent"


async def test_twenty_codes_an_hour_go_out_for_one_address(database: Database, hasher: auth.OtpHasher):
    answers = [await ask(database, hasher, Target("email", f"a{number}@example.com")) for number in range(22)]
    assert answers == ["sent"] * 20 + ["codes_per_address"] * 2
    assert await ask(database, hasher, Target("email", "z@example.com"), address="198.51.100.1") == "sent"


NOT_MOBILE = {
    "Iridium": "+881623456789",
    "Inmarsat": "+870773111632",
    "Thuraya": "+8821612345678",
    "international premium": "+979123456789",
    "international network": "+883510001234567",
    "Globalstar in France": "+33638000123",
    "of unknown type": "+915555555555",
    "reserved for drama": "+447700900123",
    "personal, dear": "+447012345678",
    "premium": "+19002345678",
    "toll-free": "+18002345678",
    "fixed": "+912227781111",
}


@pytest.mark.parametrize("number", NOT_MOBILE.values(), ids=NOT_MOBILE.keys())
def test_only_mobile_numbers_of_a_country_get_messages(number: str):
    with pytest.raises(Invalid):
        otp.mobile(number, "IN")


@pytest.mark.parametrize(
    "number", ["+919812345678", "9812345678", "+1 415 555 2671", "+4915112345678", "+8801712345678"]
)
def test_mobile_numbers_do(number: str):
    assert otp.mobile(number, "IN").kind == "mobile"


async def test_notices_cannot_flood_an_address_or_empty_a_purse(database: Database, tmp_path, monkeypatch):
    monkeypatch.setenv("NOTICES_PER_TARGET", "3")
    monkeypatch.setenv("CODES_PER_DAY", "2")
    settings = Settings(data_dir=tmp_path, secret_key="k" * 40, rate_limits_enabled=True)
    async with Http():
        database.context.configuration = read_configuration(settings)
        for target in (Target("email", "asha@example.com"), TARGET):
            for _ in range(5):
                async with database.transaction() as tx:
                    await otp.notify_target(tx, target, "password_changed")
    async with database.snapshot() as tx:
        found = (await tx.execute(text("SELECT name, count(*) FROM tasks GROUP BY name ORDER BY name"))).all()
    assert [tuple(row) for row in found] == [("senders.mail", 3), ("senders.sms", 2)]
