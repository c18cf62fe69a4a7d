"""Leaving: the account is closed at once and erased after the grace time, unless its owner signs in before."""

from datetime import timedelta

import structlog
from sqlalchemy import insert, select, update

from hortus import accounts, auth, billing, generation, tasks
from hortus.core import clock, ids
from hortus.core.db import Database, Tx
from hortus.core.events import Bus
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.privacy.erase import ERASE
from hortus.privacy.settings import PrivacySettings
from hortus.privacy.tables import AccountDeletion

log = structlog.get_logger()
BATCH = 200


async def delete_account(tx: Tx, resources: Resources, user_id: str) -> AccountDeletion:
    """Close the account now: nobody is signed in, no key works, no work goes on, no subscription is charged again.

    Raises LastAdministrator, and NothingToChange for an account that is not active.
    """
    await auth.close_account(tx, user_id)
    await generation.stop_all(tx, resources.get(Bus), user_id)
    await billing.stop_auto_topup(tx, user_id)
    now, days = clock.now(), tx.settings(PrivacySettings).account_deletion_grace_days
    wish = {
        "id": ids.new(),
        "user_id": user_id,
        "status": "waiting",
        "fetched_at": now,
        "erase_at": now + timedelta(days=days),
    }
    await tx.execute(insert(AccountDeletion), wish)
    if await billing.subscribers(tx, [user_id]):
        await _end_subscription_later(tx, user_id)
    page = resources.get(Settings).frontend_base_url.rstrip("/")
    link = f"{page}/login" if page and days else None
    await auth.notify_user(tx, user_id, "account_deleted", erased_on=f"{wish['erase_at']:%d %B %Y}", link=link)
    if not days:
        await _erase_soon(tx, user_id)
    return (await tx.execute(select(AccountDeletion).where(AccountDeletion.id == wish["id"]))).scalar_one()


async def note_reopened(tx: Tx, user_id: str) -> None:
    """The owner came back: nothing is erased."""
    undone = update(AccountDeletion).where(AccountDeletion.user_id == user_id, AccountDeletion.status == "waiting")
    await tx.execute(undone.values(status="undone", ended_at=clock.now()))


async def _erase_soon(tx: Tx, user_id: str) -> None:
    await tasks.enqueue(tx, ERASE, {"user_id": user_id}, key=f"erase:{user_id}")


async def _end_subscription_later(tx: Tx, user_id: str) -> None:
    await tasks.enqueue(tx, UNSUBSCRIBE, {"user_id": user_id}, key=f"unsubscribe:{user_id}")


async def look_after(resources: Resources, _task: tasks.ClaimedTask) -> None:
    """Begin every erasure whose time has come, and end subscriptions that came to life after their owner had left."""
    database, after = resources.get(Database), ""
    while True:
        async with database.transaction() as tx:
            query = select(AccountDeletion.id, AccountDeletion.user_id, AccountDeletion.erase_at)
            query = query.where(AccountDeletion.status.in_(("waiting", "erasing")), AccountDeletion.id > after)
            found = (await tx.execute(query.order_by(AccountDeletion.id).limit(BATCH))).all()
            for row in found:
                if row.erase_at <= clock.now():
                    await _erase_soon(tx, row.user_id)
            for user_id in sorted(await billing.subscribers(tx, [row.user_id for row in found])):
                await _end_subscription_later(tx, user_id)
        if len(found) < BATCH:
            return
        after = found[-1].id


async def _unsubscribe(resources: Resources, task: tasks.ClaimedTask) -> None:
    user_id = task.payload["user_id"]
    async with resources.get(Database).snapshot() as tx:
        if await accounts.status_of(tx, user_id) == "active":
            return  # they came back, and what they have is theirs to cancel
    try:
        await billing.end_subscription(resources, user_id)
    except (billing.CannotChange, billing.GatewayFailed, billing.PaymentsNotConfigured) as problem:
        log.warning("subscription_not_ended", user_id=user_id, reason=problem.code)
        raise tasks.Retry(None, problem.code) from None


UNSUBSCRIBE = tasks.register(
    "privacy.unsubscribe",
    _unsubscribe,
    queue="maintenance",
    time_limit=120,
    attempts=20,
    backoff=5,
    longest_backoff=3600,
)
