"""The periodic tasks of an installation: expiry, cleanup and invariant checks."""

from collections.abc import Awaitable, Callable, Sized

from hortus import accounts, auth, ledger, tasks
from hortus.billing import tasks as billing_tasks
from hortus.core import idempotency
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources
from hortus.files import tasks as files_tasks
from hortus.ops import invariants
from hortus.payments.sandbox import delayed_webhooks as sandbox
from hortus.privacy import tasks as privacy_tasks
from hortus.tasks import queue


async def expire(resources: Resources, _task: tasks.ClaimedTask) -> None:
    """Book expired grants and reservations, a bounded number per transaction."""
    for verb in (ledger.expire_grants, ledger.expire_reservations):
        await _until_done(resources, verb)


async def _until_done(resources: Resources, verb: Callable[[Tx], Awaitable[Sized | int]]) -> None:
    more = True
    while more:
        async with resources[Database].transaction() as tx:
            more = bool(await verb(tx))


async def sweep(resources: Resources, _task: tasks.ClaimedTask) -> None:
    """Delete old idempotency keys, finished tasks, codes, abandoned sign-ins, throttle buckets and devices."""
    for verb in (
        idempotency.sweep_idempotency_keys,
        queue.sweep_tasks,
        auth.sweep_challenges,
        auth.sweep_passkey_challenges,
        auth.sweep_buckets,
        accounts.sweep_devices,
        auth.sweep_otps,
        auth.sweep_oidc_flows,
    ):
        await _until_done(resources, verb)


PERIODIC = (
    tasks.register_periodic("ledger.expire", expire, 60),
    tasks.register_periodic("core.sweep", sweep, 600),
    *files_tasks.PERIODIC,
    *billing_tasks.PERIODIC,
    *privacy_tasks.PERIODIC,
    *sandbox.PERIODIC,
    *invariants.PERIODIC,
)
"""Every periodic task of an installation, for the schedulers of its processes."""
