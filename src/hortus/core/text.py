"""Normalisation of typed and pasted text: characters allowed in a line, and pasted codes."""

import re
import unicodedata

JOINERS = "\u200c\u200d"
"""Zero-width non-joiner and joiner: part of words in Sinhala, Persian, Hindi and Malayalam, and of emoji."""
_VIRAMA = 9
"""The combining class of the sign after which a joiner chooses the form of a consonant, even at the end of a word."""
_VISIBLE_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Number and verse signs that Unicode classifies as format characters although they are visible."""
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
"""The flag of a part of a country, such as Scotland: a black flag and invisible letters."""
_JOINED = frozenset(("L", "M", "N", "So", "Sk", "Cn"))  # Cn: letters and emoji newer than the Unicode tables of Python
NOT_A_LINE = "must not contain control characters"


def without_controls(text: str) -> str:
    """The text without control characters, line ends and direction marks; joiners are kept inside words."""
    flags = {place for found in _FLAG.finditer(text) for place in range(*found.span())}
    return "".join(c for place, c in enumerate(text) if place in flags or _may_stand(text, place))


def is_line(text: str) -> bool:
    """Whether the text is a single line of visible characters: no control character, line end or direction mark."""
    return text.isprintable() or len(without_controls(text)) == len(text)


def line(text: str) -> str:
    """The text with every kind of space as a plain one; raises ValueError unless `is_line`."""
    if not is_line(text):
        raise ValueError(NOT_A_LINE)
    return "".join(" " if unicodedata.category(c) == "Zs" else c for c in text)


def lines(text: str) -> str:
    """Like `line`, for text of several lines, which may contain tabs."""
    if not is_line(re.sub(r"[\t\n\r]", " ", text)):
        raise ValueError(NOT_A_LINE)
    return text


def _may_stand(text: str, place: int) -> bool:
    character = text[place]
    if character in JOINERS:
        return _joins(text, place)
    category = unicodedata.category(character)
    if category == "Cn":  # not a character, or one added since
        return ord(character) & 0xFFFE != 0xFFFE and not 0xFDD0 <= ord(character) <= 0xFDEF
    return category not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or character in _VISIBLE_FORMATS


def _joins(text: str, place: int) -> bool:
    before = text[place - 1] if place else " "
    after = text[place + 1] if place + 1 < len(text) else " "
    if unicodedata.combining(before) == _VIRAMA:
        return after not in JOINERS
    return _is_joined(before) and _is_joined(after)


def _is_joined(character: str) -> bool:
    category = unicodedata.category(character)
    return category in _JOINED or category[0] in _JOINED


def normalise_code(code: str) -> str:
    """Normalise a typed or pasted code.

    Digits of every script and full-width letters become ASCII; spaces, dashes and invisible characters are removed,
    and so is punctuation before and after the code. Other characters are kept, for the caller to refuse.
    """
    folded = unicodedata.normalize("NFKC", code)
    kept = [(_plain(c), unicodedata.category(c)) for c in folded if not _is_gap(c)]
    while kept and kept[0][1][0] == "P":
        kept.pop(0)
    while kept and kept[-1][1][0] == "P":
        kept.pop()
    return "".join(character for character, _ in kept)


def _plain(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)


def _is_gap(character: str) -> bool:
    category = unicodedata.category(character)
    return category in ("Pd", "Cf") or category[0] == "Z" or character in "\t\n\r\u2212"
