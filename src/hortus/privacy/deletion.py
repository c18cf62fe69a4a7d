"""Account deletion: the account is closed at once and erased after the grace period unless its owner signs in."""

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
    """Close the account: end sessions and API keys, cancel generations, and end the subscription and auto top-up.

    Raises LastAdministrator, and NothingToChange for an account that is not active.
    """
    await auth.close_account(tx, user_id)
    await generation.stop_all(tx, resources[Bus], user_id)
    await billing.disable_auto_topup(tx, user_id)
    now, days = clock.now(), tx.settings(PrivacySettings).account_deletion_grace_days
    deletion_request = {
        "id": ids.new(),
        "user_id": user_id,
        "status": "pending",
        "requested_at": now,
        "erase_at": now + timedelta(days=days),
    }
    await tx.execute(insert(AccountDeletion), deletion_request)
    if await billing.subscribers(tx, [user_id]):
        await _end_subscription_later(tx, user_id)
    page = resources[Settings].frontend_base_url.rstrip("/")
    link = f"{page}/login" if page and days else None
    await auth.notify_user(
        tx, user_id, "account_deleted", erased_on=f"{deletion_request['erase_at']:%d %B %Y}", link=link
    )
    if not days:
        await _erase_soon(tx, user_id)
    return (await tx.execute(select(AccountDeletion).where(AccountDeletion.id == deletion_request["id"]))).scalar_one()


async def cancel_deletion(tx: Tx, user_id: str) -> None:
    """Cancel the pending deletion of a user who has signed in again."""
    pending = update(AccountDeletion).where(AccountDeletion.user_id == user_id, AccountDeletion.status == "pending")
    await tx.execute(pending.values(status="cancelled", ended_at=clock.now()))


async def _erase_soon(tx: Tx, user_id: str) -> None:
    await tasks.enqueue(tx, ERASE, {"user_id": user_id}, key=f"erase:{user_id}")


async def _end_subscription_later(tx: Tx, user_id: str) -> None:
    await tasks.enqueue(tx, UNSUBSCRIBE, {"user_id": user_id}, key=f"unsubscribe:{user_id}")


async def erase_due_accounts(resources: Resources, _task: tasks.ClaimedTask) -> None:
    """Enqueue every erasure that is due, and end subscriptions that became active after the account was closed."""
    database, after = resources[Database], ""
    while True:
        async with database.transaction() as tx:
            query = select(AccountDeletion.id, AccountDeletion.user_id, AccountDeletion.erase_at)
            query = query.where(AccountDeletion.status.in_(("pending", "erasing")), AccountDeletion.id > after)
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
    async with resources[Database].snapshot() as tx:
        if await accounts.status_of(tx, user_id) == "active":
            return  # the account was reopened: its owner decides about the subscription
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
