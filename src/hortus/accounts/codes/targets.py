"""Where a code goes: an e-mail address or a mobile number, in the one form we keep."""

from dataclasses import dataclass
from typing import Literal

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from hortus.core.errors import Invalid

Kind = Literal["email", "mobile"]
_REACHED_BY_SMS = (
    PhoneNumberType.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE,
    PhoneNumberType.PERSONAL_NUMBER,
    PhoneNumberType.UNKNOWN,
)
_GMAIL = ("gmail.com", "googlemail.com")
_TAGS = (
    *_GMAIL,
    *("outlook.com", "hotmail.com", "live.com", "icloud.com", "me.com"),
    *("fastmail.com", "proton.me", "protonmail.com", "zoho.com", "zohomail.in"),
)
"""Where `+tag` is known to reach the same mailbox. Elsewhere it may be somebody else's, and who owns a domain has as
many addresses as they like anyway."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address or number, normalised."""

    kind: Kind
    value: str

    @property
    def calling_code(self) -> str:
        """The country calling code of a mobile number; nothing for e-mail."""
        return str(phonenumbers.parse(self.value).country_code) if self.kind == "mobile" else ""

    def person(self) -> str:
        """One text for all spellings that reach the same person; only for telling who was welcomed."""
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

    Its form must fit its country. Whether the range is in use today is the carrier's to say: numbering plans change
    more often than we do. A number known to be no mobile (fixed, toll-free, premium-rate) is refused.
    """
    try:
        parsed = phonenumbers.parse(number, region)
        good = (
            phonenumbers.is_possible_number(parsed)
            and not parsed.extension
            and phonenumbers.number_type(parsed) in _REACHED_BY_SMS
        )
    except phonenumbers.NumberParseException:
        good = False
    if not good:
        raise Invalid(errors=[{"field": "mobile_number", "detail": "must be a mobile number such as +919876543210"}])
    return Target("mobile", phonenumbers.format_number(parsed, PhoneNumberFormat.E164))
