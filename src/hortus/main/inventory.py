"""Every table and every kind of task of the product, loaded by each process that works on tables.

A process that loads only some modules fails late: at the first row of a table, or the first task, whose module was not
imported. `tests/main/test_process_kinds.py` starts each kind of process and compares what it has loaded with
what the source holds.
"""

import structlog
from pydantic_settings import BaseSettings

from hortus import privacy
from hortus.auth.otp import delivery as code_tasks
from hortus.billing import tasks as billing_tasks
from hortus.billing.checkout import off_session
from hortus.billing.payments import documents
from hortus.billing.referrals import tasks as referral_tasks
from hortus.billing.subscriptions import dunning, duplicates
from hortus.billing.webhooks import inbox
from hortus.files import tasks as files_tasks
from hortus.generation import tasks as generation_tasks
from hortus.generation import vendor_cleanup as vendor_tasks
from hortus.main import periodic, tables
from hortus.ops import invariants
from hortus.payments.sandbox import delayed_webhooks as sandbox_clock
from hortus.payments.sandbox import webhook_sender as sandbox_tasks
from hortus.privacy import deletion, erase, exports
from hortus.privacy import tasks as privacy_tasks
from hortus.senders import outbox
from hortus.tasks.registry import TASK_TYPES

log = structlog.get_logger()
TASKS = (
    off_session,
    billing_tasks,
    code_tasks,
    deletion,
    documents,
    dunning,
    duplicates,
    erase,
    exports,
    files_tasks,
    generation_tasks,
    inbox,
    invariants,
    outbox,
    privacy_tasks,
    referral_tasks,
    sandbox_clock,
    sandbox_tasks,
    periodic,
    vendor_tasks,
)
"""The modules that define tasks."""


def check() -> None:
    """Refuse to start if a table is missing in the data map, or the data map names a table that does not exist.

    Raises RuntimeError, which is a mistake in the source, not in the settings.
    """
    lacking = privacy.unmapped_tables(tables.metadata.tables)
    if lacking:
        raise RuntimeError("src/hortus/privacy/data_map.py does not match the tables: " + ", ".join(sorted(lacking)))


def note() -> None:
    """Log at level debug what this process has loaded."""
    log.debug("inventory", tables=sorted(tables.metadata.tables), tasks=sorted(TASK_TYPES), settings=settings())


def settings() -> list[str]:
    """The settings classes that are loaded; those of providers are once they were discovered."""
    found, waiting = set[type[BaseSettings]](), list(BaseSettings.__subclasses__())
    while waiting:
        each = waiting.pop()
        found.add(each)
        waiting += each.__subclasses__()
    return sorted(f"{each.__module__}.{each.__name__}" for each in found if each.__module__.startswith("hortus."))
