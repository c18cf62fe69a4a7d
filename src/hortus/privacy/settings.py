"""How long things are kept, and which texts people agree to."""

from pydantic import NonNegativeInt, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class PrivacySettings(BaseSettings):
    """Days, unless the name says otherwise. Every default keeps no longer than the product needs."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", populate_by_name=True)

    terms_version: str = "1"
    """Change it with the text of the terms; who agreed to another version is shown as not up to date."""
    marketing_consent_version: str = "1"
    account_deletion_grace_days: NonNegativeInt = 30
    """For how long somebody who deleted their account can come back by signing in; 0 erases at once."""
    data_export_days: PositiveInt = 7
    """For how long an archive can be downloaded."""

    retention_sessions_days: PositiveInt = 90
    """Sessions that ended."""
    retention_uses_days: PositiveInt = 62
    """Single uses counted against quotas and the budgets of keys; the sums of days and months stay."""
    retention_webhook_body_days: PositiveInt = 90
    """What gateways wrote. That they wrote, and when, stays: nothing is handled twice."""
    retention_deleted_days: PositiveInt = 30
    """What customers deleted themselves: the rows behind rooms and files."""
