"""Settings of one-time codes. Limits hold across processes: they are counted in the database."""

from functools import cached_property
from typing import Annotated, ClassVar

import phonenumbers
from pydantic import AfterValidator, Field

from hortus.core.configuration import Json, Rule, SettingsGroup


def _region(value: str) -> str:
    if value.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("no country")
    return value.upper()


AtLeastOne = Annotated[int, Field(ge=1, le=1_000_000_000)]
Cap = Annotated[int, Field(ge=0, le=1_000_000_000)]


class OtpSettings(SettingsGroup):
    """DEFAULT_PHONE_REGION reads national numbers; CODES_… cap how many codes are sent."""

    heading: ClassVar[str] = "One-time codes"

    default_phone_region: Annotated[
        str, AfterValidator(_region), Rule("a country of two letters, such as IN or US")
    ] = "IN"
    """The country of phone numbers that are written without one."""
    codes_per_target: AtLeastOne = 5
    """To one address or number in an hour, for all purposes together."""
    code_tries_per_target: AtLeastOne = 20
    """Codes for one address or number that are checked in an hour, for all purposes together."""
    codes_per_address: AtLeastOne = 20
    """Codes requested from one network address in an hour. Off with RATE_LIMITS_ENABLED=false."""
    codes_per_country: Cap = 200
    """Text messages to one country calling code in a day (UTC); 0 sends none. Off with RATE_LIMITS_ENABLED=false."""
    codes_per_day: AtLeastOne = 1000
    """Text messages in a day (UTC), to all countries together. Off with RATE_LIMITS_ENABLED=false."""
    mail_codes_per_day: AtLeastOne = 20_000
    """Codes by mail in a day (UTC), to everybody together. Off with RATE_LIMITS_ENABLED=false."""
    notices_per_target: AtLeastOne = 20
    """Unrequested messages to one address or number in an hour, such as notices of a new sign-in; further ones are
    dropped. Text messages also count towards CODES_PER_COUNTRY and CODES_PER_DAY."""
    codes_by_country: Annotated[
        dict[Annotated[str, Field(pattern=r"^[0-9]{1,4}$")], Cap],
        *Json,
        Rule('a JSON object of messages a day by calling code, such as {"91": 20000, "1": 0}'),
    ] = Field(default_factory=dict)
    """Overrides by calling code: `{"91": 20000, "1": 0}`. A 0 here holds even where rate limits are off."""
    long_codes_after: AtLeastOne = 50
    """Wrong codes for one address or number in a day; after them its codes have ten digits until the next."""

    @cached_property
    def closed_countries(self) -> frozenset[str]:
        """Calling codes that are never written to."""
        return frozenset(code for code, cap in self.codes_by_country.items() if cap == 0)

    def cap_of(self, calling_code: str) -> int:
        """How many text messages a day a country may get."""
        return self.codes_by_country.get(calling_code, self.codes_per_country)
