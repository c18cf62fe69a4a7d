"""What all messages share. Each sender's own settings stand beside it."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """MESSAGE_BRAND is the name that messages speak in."""

    model_config = SettingsConfigDict(
        title="MESSAGE_", env_prefix="MESSAGE_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    brand: str = Field("Hortus", min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")
