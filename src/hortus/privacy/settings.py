"""Settings of retention periods and versions of consent texts."""

from typing import Annotated, ClassVar

from pydantic import Field

from hortus.core.configuration import Days, SettingsGroup

Version = Annotated[str, Field(max_length=40)]
DaysAtLeastOne = Annotated[int, Field(ge=1, le=36_500)]


class PrivacySettings(SettingsGroup):
    """Retention periods, in days unless the name has another unit, and versions of consent texts."""

    heading: ClassVar[str] = "Privacy and retention"

    terms_version: Version = "1"
    """Version of the terms; change it with the text. A consent to another version is shown as outdated."""
    marketing_consent_version: Version = "1"
    """Version of the text of the consent to marketing."""
    account_deletion_grace_days: Days = 30
    """Days in which a deleted account can be reopened by signing in; 0 erases at once."""
    data_export_days: DaysAtLeastOne = 7
    """Days in which a data export can be downloaded."""

    retention_sessions_days: DaysAtLeastOne = 90
    """Days after which ended sessions are deleted."""
    retention_uses_days: DaysAtLeastOne = 62
    """Days after which single uses of quotas and budgets are deleted; daily and monthly totals stay."""
    retention_webhook_body_days: DaysAtLeastOne = 90
    """Days after which bodies of webhook events are cleared. The events stay, so that none is processed twice."""
    retention_deleted_days: DaysAtLeastOne = 30
    """Days after which rows of deleted chatrooms and files are removed."""
