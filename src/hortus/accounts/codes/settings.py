"""What an operator may set about codes. Counts hold across processes: they live in the database."""

from functools import cached_property

import phonenumbers
from pydantic import Field, NonNegativeInt, PositiveInt, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class CodeSettings(BaseSettings):
    """DEFAULT_PHONE_REGION reads national numbers; CODES_… cap how many codes are sent."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", populate_by_name=True)

    default_phone_region: str = Field("IN", min_length=2, max_length=2)
    codes_per_target: PositiveInt = 5
    """To one address or number in ten minutes."""
    codes_per_address: PositiveInt = 30
    """Asked for from one network address in ten minutes. Off with RATE_LIMITS_ENABLED=false."""
    codes_per_country: NonNegativeInt = 2000
    """Text messages to one country calling code in an hour; 0 sends none. Off with RATE_LIMITS_ENABLED=false."""
    codes_by_country: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """Overrides by calling code: `{"91": 20000, "1": 0}`. A 0 here holds even where rate limits are off."""
    long_codes_after: PositiveInt = 50
    """Wrong codes for one address or number in a day; after them its codes have ten digits until the next."""

    @field_validator("default_phone_region")
    @classmethod
    def _known_region(cls, value: str) -> str:
        if value.upper() not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError(f"{value!r} is not a country of two letters such as IN or US")
        return value.upper()

    @cached_property
    def closed_countries(self) -> frozenset[str]:
        """Calling codes that are never written to."""
        return frozenset(code for code, cap in self.codes_by_country.items() if cap == 0)

    def cap_of(self, calling_code: str) -> int:
        """How many text messages an hour a country may get."""
        return self.codes_by_country.get(calling_code, self.codes_per_country)
