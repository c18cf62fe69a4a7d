"""Settings that must be equal in all processes: logs each that differs from a running process."""

import structlog

from hortus import tasks
from hortus.core import shared_settings
from hortus.core.db import Database
from hortus.core.settings import Settings
from hortus.ops.databases import Role

log = structlog.get_logger()


async def warn_of_differences(settings: Settings, database: Database, role: Role) -> None:
    """Log one sentence for each setting that differs; only servers and workers share settings."""
    if role not in ("server", "worker"):
        return
    async with database.snapshot() as tx:
        others = await tasks.processes(tx)
    for other in others:
        for sentence in shared_settings.differences(settings, other.settings or {}, f"the {other.kind} {other.name}"):
            log.warning("settings_differ", hint=sentence)
