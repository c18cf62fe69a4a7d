"""Normalisation of pasted codes, and validation of e-mail addresses."""

import pytest

from hortus.core import email_address
from hortus.core.text import is_line, normalise_code, without_controls

PASTED = (
    "123456",
    " 123 456 ",
    "123-456",
    "123\u2011456",
    "123\u2212456",
    "\u00a0123\u00a0456\u00a0",
    "123456\u200b",
    "\ufeff123456",
    "\u202a123456\u202c",
    "\uff11\uff12\uff13\uff14\uff15\uff16",  # full-width
    "\u0661\u0662\u0663\u0664\u0665\u0666",  # Arabic-Indic
    "\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6",  # Persian
    "\u0967\u0968\u0969\u096a\u096b\u096c",  # Devanagari
    "123456.",
    "123456\u3002",
    "123456\u06d4",
    "(123456)",
    "'123456'\n",
    "123\t456",
)


@pytest.mark.parametrize("written", PASTED)
def test_a_pasted_code_is_normalised(written: str):
    assert normalise_code(written) == "123456"


@pytest.mark.parametrize(
    ("written", "read"),
    [("ab3de\u2013fgh2k.", "ab3defgh2k"), ("\uff37\uff25\uff2c\uff23\uff2f\uff2d\uff25\u0661\u0660", "WELCOME10")],
)
def test_letters_of_a_pasted_code_are_read_too(written: str, read: str):
    assert normalise_code(written) == read


@pytest.mark.parametrize("written", ["12x456", "12.456", "١٢٣,٤٥٦", "12/3456", "123456$"])
def test_other_characters_of_a_code_are_kept(written: str):
    assert not normalise_code(written).isdigit()


def test_joiners_stay_in_words_and_go_elsewhere():
    assert without_controls("ශ්‍රී.png") == "ශ්‍රී.png"
    assert without_controls("a\u200d\u200db\u202e\u200c") == "ab"
    assert is_line("🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f")
    assert not is_line("a\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f")
    assert not is_line("\ufffe")
    assert is_line("")


@pytest.mark.parametrize("local", ["a" * 65, "é" * 33, "क" * 22, "ß" * 32 + "a"])
def test_a_local_part_over_64_octets_is_refused(local: str):
    with pytest.raises(ValueError, match="@-sign"):
        email_address.normalise(f"{local}@example.com")


@pytest.mark.parametrize("local", ["a" * 64, "é" * 32])
def test_a_local_part_of_64_octets_is_accepted(local: str):
    assert email_address.normalise(f"{local}@example.com") == f"{local}@example.com"


def test_invisible_characters_around_an_address_are_dropped():
    assert email_address.normalise("\u200b asha@example.com\u00a0\ufeff") == "asha@example.com"
    with pytest.raises(ValueError, match="email"):
        email_address.normalise("as\u200bha@example.com")
