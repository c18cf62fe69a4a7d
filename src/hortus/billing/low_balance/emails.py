"""Email customers whose balance falls below a threshold, once per fall.

An alert is armed when credits are granted to a customer with a sufficient balance, and removed when the email is
sent. The hot path of charging is not involved, and customers who never had enough get no email.
"""

import structlog
from sqlalchemy import delete, select

from hortus import auth, ledger, tasks
from hortus.billing.auto_topup.tables import AutoTopup
from hortus.billing.links import shop_url
from hortus.billing.price_list.settings import BillingSettings
from hortus.billing.tables import LowBalanceAlert
from hortus.core import clock
from hortus.core.db import Database, Tx
from hortus.core.money import MICRO, credits_to_text
from hortus.core.resources import Resources
from hortus.core.settings import Settings

log = structlog.get_logger()
PAGE = 500


async def arm(tx: Tx, user_id: str) -> None:
    """Arm the alert of a user whose balance is sufficient after a grant."""
    least = tx.settings(BillingSettings).low_balance_credits * MICRO
    if not least or await ledger.users_below(tx, {user_id: least}):
        return
    row = tx.insert(LowBalanceAlert).values(user_id=user_id, since=clock.now())
    await tx.execute(row.on_conflict_do_nothing(index_elements=["user_id"]))


async def sweep_low_balances(resources: Resources, _task: tasks.ClaimedTask) -> None:
    """Email every customer with an armed alert and a low balance, except those with an automatic top-up."""
    least = resources[BillingSettings].low_balance_credits * MICRO
    database, after = resources[Database], ""
    refilled = select(AutoTopup.user_id).where(AutoTopup.user_id == LowBalanceAlert.user_id, AutoTopup.enabled)
    while least:
        watched = select(LowBalanceAlert.user_id).where(LowBalanceAlert.user_id > after, ~refilled.exists())
        async with database.snapshot() as tx:
            users = (await tx.execute(watched.order_by(LowBalanceAlert.user_id).limit(PAGE))).scalars().all()
            low = await ledger.users_below(tx, dict.fromkeys(users, least))
        for user_id in low:
            try:
                async with database.transaction() as tx:
                    await _notify(tx, user_id, least, shop_url(resources[Settings], "/billing"))
            except Exception:  # continue with the others
                log.exception("low_balance_mail_failed", user_id=user_id)
        if len(users) < PAGE:
            return
        after = users[-1]


async def _notify(tx: Tx, user_id: str, least: int, link: str) -> None:
    ended = delete(LowBalanceAlert).where(LowBalanceAlert.user_id == user_id).returning(LowBalanceAlert.user_id)
    if (await tx.execute(ended)).first() is None:
        return  # another process sent the email
    has = (await ledger.users_below(tx, {user_id: least})).get(user_id)
    if has is None:
        await arm(tx, user_id)  # credits were granted meanwhile
        return
    await auth.notify_user(tx, user_id, "low_balance", available=credits_to_text(max(0, has)), link=link)
