"""What all messages share. Each sender's own settings stand beside it."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from hortus.core.text import line


class Settings(BaseSettings):
    """MESSAGE_BRAND is the name that messages speak in."""

    model_config = SettingsConfigDict(
        title="MESSAGE_", env_prefix="MESSAGE_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    brand: Annotated[str, AfterValidator(line)] = Field("Hortus", min_length=1, max_length=60)
