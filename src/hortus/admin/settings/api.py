"""The route `/api/admin/settings`."""

from typing import Annotated, Any

from pydantic import BaseModel

from hortus.admin.settings import service
from hortus.auth import Admin
from hortus.core.settings import Settings
from hortus.core.web.deps import resource
from hortus.core.web.openapi import make_router

router = make_router("/api/admin/settings", "admin")


class SettingsOut(BaseModel):
    """The settings in force by name; for secrets only whether they are set."""

    settings: dict[str, Any]
    secrets: dict[str, bool]


@router.get("", operation_id="admin_read_settings")
async def read_settings(_caller: Admin, settings: Annotated[Settings, resource(Settings)]) -> SettingsOut:
    """The settings in force, without secrets. Change them in the environment."""
    values, secrets = service.shown(settings)
    return SettingsOut(settings=values, secrets=secrets)
