"""Contact points of users: e-mail addresses and mobile numbers, normalised, and keyed digests of them."""

import contextlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from hortus.core.errors import Invalid

Kind = Literal["email", "mobile"]
_REACHED_BY_SMS = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
_NO_COUNTRY = "001"
"""The region of numbers that belong to no country: satellite networks and international services, dear to reach."""
_SATELLITE = (
    *("+3363800", "+3364000", "+3375076", "+3375077"),
    *("+614201", "+614800", "+614808", "+614858", "+614899"),
)
"""Mobile ranges of countries that are satellite networks, by libphonenumber's carriers: Globalstar Europe, Pivotel."""
_GMAIL = ("gmail.com", "googlemail.com")
_TAGS = (
    *_GMAIL,
    *("outlook.com", "hotmail.com", "live.com", "icloud.com", "me.com"),
    *("fastmail.com", "proton.me", "protonmail.com", "zoho.com", "zohomail.in"),
)
"""Domains where `+tag` reaches the same mailbox. Elsewhere it may be another mailbox."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address or number, normalised."""

    kind: Kind
    value: str

    @property
    def calling_code(self) -> str:
        """The country calling code of a mobile number; empty for e-mail."""
        return str(phonenumbers.parse(self.value).country_code) if self.kind == "mobile" else ""

    def person(self) -> str:
        """One text for all spellings that reach the same mailbox or phone. Only to recognise a person."""
        if self.kind == "mobile":
            return f"mobile:{self.value}"
        local, _, domain = self.value.rpartition("@")
        if domain in _TAGS:
            local = local.split("+", 1)[0] or local
        if domain in _GMAIL:
            local, domain = local.replace(".", "") or local, _GMAIL[0]
        return f"email:{local}@{domain}"


def mobile(number: str, region: str) -> Target:
    """The number in E.164; national numbers are read as `region`'s. Raises Invalid.

    Only numbers in a mobile range of a country's numbering plan are taken. Fixed, toll-free, premium-rate, personal
    and satellite numbers and numbers of unknown type are refused: messages to them are lost, or dear.
    """
    found = None
    with contextlib.suppress(phonenumbers.NumberParseException):
        parsed = phonenumbers.parse(number, region)
        if (
            not parsed.extension
            and phonenumbers.number_type(parsed) in _REACHED_BY_SMS
            and phonenumbers.region_code_for_number(parsed) != _NO_COUNTRY
        ):
            found = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    if found is None or found.startswith(_SATELLITE):
        raise Invalid(errors=[{"field": "mobile_number", "detail": "must be a mobile number such as +919876543210"}])
    return Target("mobile", found)


def keyed_digest(key: bytes, *parts: str) -> str:
    """An HMAC-SHA256 of the parts, in hexadecimal; the length of each part is part of the input."""
    data = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    return hmac.new(key, data, "sha256").hexdigest()


def person_digests(keys: Sequence[bytes], target: Target) -> list[str]:
    """One digest for all spellings of one address or number, under each key in order: today's key first."""
    return [keyed_digest(key, "person", target.person()) for key in keys]
