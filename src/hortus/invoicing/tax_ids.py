"""Validation of tax ids: their form and, in countries that have one, the check digit.

Whether an id was issued, and to whom, is not checked.
"""

import re
from collections.abc import Callable, Sequence

from hortus.invoicing.states import STATES

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_GSTIN = re.compile(r"([0-9]{2})([A-Z]{5}[0-9]{4}[A-Z][1-9A-Z][0-9A-Z])([0-9A-Z])")


def gstin(text: str) -> str:
    """Normalise a GSTIN. Raises ValueError."""
    number = _bare(text)
    found = _GSTIN.fullmatch(number)
    if found is None or found[1] not in STATES:
        raise ValueError("is no GSTIN: 15 letters and digits that begin with the code of a state")
    total = 0
    for place, letter in enumerate(number[:14]):
        total += sum(divmod(_ALPHABET.index(letter) * (1 + place % 2), 36))
    if _ALPHABET[-total % 36] != number[14]:
        raise ValueError("is no GSTIN: its last letter does not fit the others")
    return number


def vat_id(text: str, country: str | None = None) -> str:
    """Normalise a VAT id, with its country's letters (`EL` for Greece). Raises ValueError."""
    number = _bare(text)
    prefix = {"GR": "EL"}.get(country or "", country or number[:2])
    if not number.startswith(prefix) or prefix not in _FORMS:
        raise ValueError("is no VAT id of a country that is known here: write it with the letters of its country")
    body = number[2:]
    if not re.fullmatch(_FORMS[prefix], body):
        raise ValueError(f"has not the form of a VAT id of {prefix}")
    check = _CHECKS.get(prefix)
    if check is not None and not check(body):
        raise ValueError("is no VAT id: a digit is wrong")
    return number


def _bare(text: str) -> str:
    return re.sub(r"[\s.\-/]", "", text).upper()


# Forms and check digits by country -------------------------------------------


_FORMS = {
    "AT": r"U\d{8}", "BE": r"[01]\d{9}", "BG": r"\d{9,10}", "CH": r"E\d{9}(MWST|TVA|IVA)?", "CY": r"\d{8}[A-Z]",
    "CZ": r"\d{8,10}", "DE": r"[1-9]\d{8}", "DK": r"\d{8}", "EE": r"\d{9}", "EL": r"\d{9}",
    "ES": r"[A-Z0-9]\d{7}[A-Z0-9]", "FI": r"\d{8}", "FR": r"[A-HJ-NP-Z0-9]{2}\d{9}", "GB": r"\d{9}(\d{3})?",
    "HR": r"\d{11}", "HU": r"\d{8}", "IE": r"\d{7}[A-W][A-I]?|\d[A-Z+*]\d{5}[A-W]", "IT": r"\d{11}",
    "LT": r"\d{9}(\d{3})?", "LU": r"\d{8}", "LV": r"\d{11}", "MT": r"\d{8}", "NL": r"\d{9}B\d{2}",
    "NO": r"\d{9}(MVA)?", "PL": r"\d{10}", "PT": r"\d{9}", "RO": r"\d{2,10}", "SE": r"\d{10}01", "SI": r"[1-9]\d{7}",
    "SK": r"\d{10}", "XI": r"\d{9}(\d{3})?",
}  # fmt: skip
EUROPEAN_UNION = (frozenset(_FORMS) | {"GR"}) - {"CH", "EL", "GB", "NO", "XI"}


def _weighed(digits: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _luhn(digits: str) -> bool:
    doubled = (sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(reversed(digits)))
    return sum(doubled) % 10 == 0


def _iso_7064(digits: str) -> bool:
    product = 10
    for digit in digits[:-1]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (product + int(digits[-1])) % 10 == 1


def _austria(body: str) -> bool:
    total = sum(sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(body[1:8]))
    return (6 - total) % 10 == int(body[8])


def _britain(body: str) -> bool:
    total = _weighed(body, (8, 7, 6, 5, 4, 3, 2)) + int(body[7:9])
    return total % 97 == 0 or (total + 55) % 97 == 0


def _ireland(body: str) -> bool:
    if not body[:7].isdigit():
        return True
    total = _weighed(body, (8, 7, 6, 5, 4, 3, 2)) + (9 * (ord(body[8]) - 64) if len(body) > 8 else 0)
    return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == body[7]


def _france(body: str) -> bool:
    return not body[:2].isdigit() or (12 + 3 * (int(body[2:]) % 97)) % 97 == int(body[:2])


def _netherlands(body: str) -> bool:
    as_number = "".join(str(_ALPHABET.index(letter)) for letter in "NL" + body)
    return int(as_number) % 97 == 1 or _weighed(body, (9, 8, 7, 6, 5, 4, 3, 2)) % 11 == int(body[8])


def _spain(body: str) -> bool:
    if body[:8].isdigit():
        return "TRWAGMYFPDXBNJZSQVHLCKE"[int(body[:8]) % 23] == body[8]
    if body[0] in "XYZ":
        return "TRWAGMYFPDXBNJZSQVHLCKE"[int(str("XYZ".index(body[0])) + body[1:8]) % 23] == body[8]
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(body[1:8]))
    return body[8] in (str(-total % 10), "JABCDEFGHI"[-total % 10])


_CHECKS: dict[str, Callable[[str], bool]] = {
    "AT": _austria,
    "BE": lambda body: 97 - int(body[:8]) % 97 == int(body[8:]),
    "DE": _iso_7064,
    "DK": lambda body: _weighed(body, (2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0,
    "EE": lambda body: _weighed(body, (3, 7, 1, 3, 7, 1, 3, 7, 1)) % 10 == 0,
    "EL": lambda body: _weighed(body, (256, 128, 64, 32, 16, 8, 4, 2)) % 11 % 10 == int(body[8]),
    "ES": _spain,
    "FI": lambda body: _weighed(body, (7, 9, 10, 5, 8, 4, 2, 1)) % 11 == 0,
    "FR": _france,
    "GB": _britain,
    "HR": _iso_7064,
    "HU": lambda body: _weighed(body, (9, 7, 3, 1, 9, 7, 3, 1)) % 10 == 0,
    "IE": _ireland,
    "IT": _luhn,
    "LU": lambda body: int(body[:6]) % 89 == int(body[6:]),
    "MT": lambda body: 37 - _weighed(body, (3, 4, 6, 7, 8, 9)) % 37 == int(body[6:]),
    "NL": _netherlands,
    "PL": lambda body: _weighed(body, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == int(body[9]),
    "PT": lambda body: (11 - _weighed(body, (9, 8, 7, 6, 5, 4, 3, 2)) % 11) % 11 % 10 == int(body[8]),
    "RO": lambda body: _weighed(body[:-1].rjust(9, "0"), (7, 5, 3, 2, 1, 7, 5, 3, 2)) * 10 % 11 % 10 == int(body[-1]),
    "SE": lambda body: _luhn(body[:10]),
    "SI": lambda body: (11 - _weighed(body, (8, 7, 6, 5, 4, 3, 2)) % 11) % 11 % 10 == int(body[7]),
    "SK": lambda body: int(body) % 11 == 0,
    "XI": _britain,
}  # fmt: skip
