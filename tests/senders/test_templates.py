"""Every template, in every language, with friendly and hostile values."""

import pytest
from jinja2 import UndefinedError

from hortus.senders import LANGUAGES, TEMPLATES, rendering

LINK = "https://studio.example.com/verify?token=abc&next=%2F"
BOTH = [(name, language) for name in TEMPLATES for language in LANGUAGES]


def values_for(name: str) -> dict[str, str]:
    return {"brand": "Orchard", "link": LINK, **{value: f"<{value}>" for value in TEMPLATES[name]}}


@pytest.mark.parametrize(("name", "language"), BOTH)
def test_a_mail_has_a_subject_a_text_and_escaped_html(name: str, language: str):
    mail = rendering.mail("a@example.com", name, language, {**values_for(name), "name": "Asha"})
    assert "Orchard" in mail.subject
    assert "Asha" in mail.text
    assert "Asha" in mail.html
    for value in TEMPLATES[name]:
        assert f"<{value}>" in mail.text
        assert f"<{value}>" not in mail.html
        assert f"&lt;{value}&gt;" in mail.html
    assert "{{" not in mail.text + mail.html
    assert "{%" not in mail.text + mail.html
    if name != "sign_in_code":
        assert LINK in mail.text
        assert 'href="https://studio.example.com/verify?token=abc&amp;next=%2F"' in mail.html
    devanagari = any("\u0900" <= letter <= "\u097f" for letter in mail.subject + mail.text)
    assert devanagari == (language == "hi")
    assert f'lang="{language}"' in mail.html


@pytest.mark.parametrize(("name", "language"), BOTH)
def test_a_missing_value_is_an_error_and_a_missing_link_leaves_no_hole(name: str, language: str):
    values = values_for(name)
    for value in TEMPLATES[name]:
        with pytest.raises(UndefinedError):
            rendering.mail("a@example.com", name, language, {key: values[key] for key in values if key != value})
    plain = rendering.mail("a@example.com", name, language, {**values, "link": None})
    assert "href" not in plain.html
    assert "None" not in plain.text + plain.html


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_messages_are_short_and_whole(language: str):
    without = {"verify_email", "sign_up_code", "already_registered"}
    for name in TEMPLATES:
        if name in without:
            with pytest.raises(ValueError, match="sms"):
                rendering.sms("+919812345678", name, language, values_for(name))
            continue
        sms = rendering.sms("+919812345678", name, language, values_for(name))
        assert "Orchard" in sms.text
        assert "\n" not in sms.text
        assert len(sms.text) < 160


def test_an_unknown_language_is_english():
    for requested, expected in (
        ("hi", "hi"),
        ("hi-IN", "hi"),
        ("HI_in", "hi"),
        ("ta", "en"),
        ("", "en"),
        ("../x", "en"),
    ):
        assert rendering.language_of(requested) == expected


@pytest.mark.parametrize(
    "name",
    ["Win now https://evil.example", "evil.example", "a@b", "x\r\nBcc: a@example.com", "{{ 7*7 }}", "<b>Asha</b>"],
)
def test_a_hostile_name_changes_nothing(name: str):
    mail = rendering.mail("a@example.com", "password_changed", "en", {"brand": "Orchard", "name": name})
    assert "evil" not in mail.text
    assert "49" not in mail.text
    assert "<b>" not in mail.html
    assert "\n" not in mail.subject


def test_a_subject_is_one_line():
    mail = rendering.mail("a@example.com", "password_changed", "en", {"brand": "Or\r\nBcc: x@example.com"})
    assert "\n" not in mail.subject
    assert "\r" not in mail.subject
