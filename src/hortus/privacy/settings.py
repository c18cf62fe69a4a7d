"""How long things are kept, and which texts people agree to."""

from typing import Annotated, ClassVar

from pydantic import Field

from hortus.core.configuration import Days, SettingsGroup

Version = Annotated[str, Field(max_length=40)]
DaysAtLeastOne = Annotated[int, Field(ge=1, le=36_500)]


class PrivacySettings(SettingsGroup):
    """Days, unless the name says otherwise. Every default keeps no longer than the product needs."""

    heading: ClassVar[str] = "Privacy and retention"

    terms_version: Version = "1"
    """Change it with the text of the terms; who agreed to another version is shown as not up to date."""
    marketing_consent_version: Version = "1"
    """The same for the consent to marketing."""
    account_deletion_grace_days: Days = 30
    """For how long somebody who deleted their account can come back by signing in; 0 erases at once."""
    data_export_days: DaysAtLeastOne = 7
    """For how long an archive can be downloaded."""

    retention_sessions_days: DaysAtLeastOne = 90
    """Sessions that ended."""
    retention_uses_days: DaysAtLeastOne = 62
    """Single uses counted against quotas and the budgets of keys; the sums of days and months stay."""
    retention_webhook_body_days: DaysAtLeastOne = 90
    """What gateways wrote. That they wrote, and when, stays: nothing is handled twice."""
    retention_deleted_days: DaysAtLeastOne = 30
    """What customers deleted themselves: the rows behind rooms and files."""
