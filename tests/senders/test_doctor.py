"""The doctor says who sends, and what is missing before anybody does."""

import pytest

from hortus.core.settings import Settings
from hortus.ops import doctor


async def lines(tmp_path) -> dict[str, tuple[str, str]]:
    found = await doctor.examine(Settings(data_dir=tmp_path, secret_key="k" * 40))
    shown = ("mail", "SMS", "setting")
    return {each.what: (each.state, each.line) for each in found if any(word in each.what for word in shown)}


async def test_the_console_is_told_apart_from_a_sender(tmp_path):
    found = await lines(tmp_path)
    assert {state for state, _ in found.values()} == {"missing"}
    assert "SMTP_HOST" in found["mail"][1]
    assert "TWILIO_ACCOUNT_SID or SMS_HTTP_URL" in found["SMS"][1]


@pytest.mark.parametrize(
    ("name", "value", "what", "state", "said"),
    [
        ("SMTP_HOST", "mail.example.com", "mail", "broken", "smtp: SMTP_FROM"),
        ("TWILIO_ACCOUNT_SID", "AC1", "SMS", "broken", "twilio: TWILIO_AUTH_TOKEN"),
        ("SMS_HTTP_URL", "https://sms.example.com", "SMS", "ok", "sent through sms_http"),
        ("SMTP_PORT", "many", "setting", "broken", 'SMTP_PORT must be a whole number from 1 to 65535, not "many".'),
        ("SMS_HTTP_URL", "ftp://sms.example.com", "setting", "broken", "SMS_HTTP_URL must be an http:// or https://"),
    ],
)
async def test_each_sender_says_what_it_lacks(name, value, what, state, said, tmp_path, monkeypatch):
    monkeypatch.setenv(name, value)
    found = (await lines(tmp_path))[what]
    assert found[0] == state
    assert said in found[1]
