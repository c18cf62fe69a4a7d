"""Settings shared by all messages. Each sender's own settings are in its module."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from hortus.core.configuration import Rule, SettingsGroup
from hortus.core.text import line


class MessageSettings(SettingsGroup):
    """MESSAGE_BRAND is the brand name shown in messages."""

    model_config = SettingsConfigDict(env_prefix="MESSAGE_")
    heading: ClassVar[str] = "Messages"

    brand: Annotated[
        str,
        Field(min_length=1, max_length=60),
        AfterValidator(line),
        Rule("1 to 60 characters without control characters"),
    ] = "Hortus"
    """The brand name shown in messages."""
