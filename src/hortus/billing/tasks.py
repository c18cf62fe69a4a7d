"""Periodic tasks of billing, and its handlers of signals."""

import structlog

from hortus import accounts, ledger, tasks
from hortus.billing import referrals
from hortus.billing.checkout import off_session, service
from hortus.billing.low_balance import emails
from hortus.billing.webhooks.inbox import reconcile
from hortus.core.resources import Resources

log = structlog.get_logger()


async def _expire_checkouts(resources: Resources, _task: tasks.ClaimedTask) -> None:
    await service.expire_checkouts(resources)


PERIODIC = (
    tasks.register_periodic("billing.reconcile", reconcile, 600),
    tasks.register_periodic("billing.sweep", _expire_checkouts, 3600),
    tasks.register_periodic("billing.auto_topup_sweep", off_session.sweep_auto_topups, 15),
    tasks.register_periodic("billing.low_balance", emails.sweep_low_balances, 60),
)


def connect_signals() -> None:
    """Connect billing to the signals of packages below it; idempotent."""
    ledger.granted.connect(emails.arm)
    accounts.user_referred.connect(referrals.on_sign_up)
