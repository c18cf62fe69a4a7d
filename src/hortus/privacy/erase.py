"""Erasure of an account: idempotent steps, so that an interrupted task can run again from the start.

An account that is being erased cannot be reopened. The row of the user is anonymised last.
"""

import json
from typing import Any

import structlog
from sqlalchemy import select, update

from hortus import accounts, billing, chat, generation, tasks
from hortus.core import clock
from hortus.core.db import Database
from hortus.core.events import Bus
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.privacy import rows
from hortus.privacy.data_map import DATA_MAP, Anonymise, shown
from hortus.privacy.exports import BUILD, key_of
from hortus.privacy.ownership import by, table_named
from hortus.privacy.tables import AccountDeletion
from hortus.storage import Storage

log = structlog.get_logger()
EVENTS = 50


async def _erase(resources: Resources, task: tasks.ClaimedTask) -> None:
    user_id = task.payload["user_id"]
    if not await _begin(resources, user_id):
        return
    await _end_money(resources, user_id)
    database, storage = resources[Database], resources[Storage]
    async with database.transaction() as tx:
        await generation.cancel_all(tx, resources[Bus], user_id)
    await _stop_exports(resources, user_id)
    await _erase_blobs(database, storage, user_id)
    await _erase_webhook_bodies(database, user_id)
    for name, rule in DATA_MAP.items():
        table = table_named(name)
        about = rule.owner(table, user_id)
        if rule.erase == "delete":
            await rows.remove(database, table, about)
        elif isinstance(rule.erase, Anonymise):
            await rows.anonymise(database, table, about, rule.erase.columns)
    async with database.transaction() as tx:
        chat.invalidate_room_lists(tx, user_id)
        ended = update(AccountDeletion).where(AccountDeletion.user_id == user_id, AccountDeletion.status == "erasing")
        await tx.execute(ended.values(status="erased", ended_at=clock.now()))
    log.info("account_erased", user_id=user_id)


async def _begin(resources: Resources, user_id: str) -> bool:
    """Whether the erasure is due and the account was not reopened; marks it as erasing."""
    async with resources[Database].transaction() as tx:
        query = select(AccountDeletion).where(
            AccountDeletion.user_id == user_id, AccountDeletion.status.in_(("pending", "erasing"))
        )
        deletion_request = (await tx.execute(query)).scalar_one_or_none()
        if deletion_request is None or deletion_request.erase_at > clock.now():
            return False
        if deletion_request.status == "erasing":
            return True
        if not await accounts.begin_erasure(tx, user_id):
            return False
        begun = update(AccountDeletion).where(
            AccountDeletion.id == deletion_request.id, AccountDeletion.status == "pending"
        )
        await tx.execute(begun.values(status="erasing"))
    return True


async def _end_money(resources: Resources, user_id: str) -> None:
    """End the subscription first: an erased account must not be charged again."""
    try:
        await billing.end_subscription(resources, user_id)
    except billing.PaymentsNotConfigured:
        log.error("subscription_of_an_erased_account", user_id=user_id, hint="end it at the gateway by hand")
    except (billing.CannotChange, billing.GatewayFailed) as problem:
        log.warning("subscription_not_ended", user_id=user_id, reason=problem.code)
        raise tasks.Retry(None, problem.code) from None


async def _stop_exports(resources: Resources, user_id: str) -> None:
    """Cancel exports that are being built, and retry once no process can still be writing one.

    A worker notices within its lease that its task was cancelled.
    """
    async with resources[Database].transaction() as tx:
        building = await tasks.find_live(tx, BUILD.name, user_id)
        is_running = any(task.status == "running" for task in building)
        for task in building:
            await tasks.cancel(tx, resources, task.id)
    if is_running:
        raise tasks.Retry(resources[Settings].lease_seconds + 5, "an archive was being built")


async def _erase_blobs(database: Database, storage: Storage, user_id: str) -> None:
    """Delete blobs before their rows: a row without a blob is found again, a blob without a row is orphaned."""
    every = shown(by("user_id"))
    async for batch in rows.read(database, table_named("files"), every, user_id):
        for row in batch:
            await storage.delete(row["storage_key"])
    async for batch in rows.read(database, table_named("data_exports"), every, user_id):
        for row in batch:
            await storage.delete(key_of(row["id"]))


async def _erase_webhook_bodies(database: Database, user_id: str) -> None:
    """Clear the body of each webhook event that names the user, an identifier of theirs or one of their purchases."""
    known, events = table_named("identifiers"), table_named("webhook_events")
    async with database.snapshot() as tx:
        reached = list((await tx.execute(select(known.c.value).where(known.c.user_id == user_id))).scalars())
        for name in ("gateway_customers", "checkouts", "subscriptions", "payments"):
            bought = table_named(name).c
            query = select(bought.external_id).where(bought.user_id == user_id, bought.external_id.is_not(None))
            reached += (await tx.execute(query)).scalars()
    words = _spellings([user_id, *reached])
    after = ""
    while True:
        query = select(events.c.id, events.c.body).where(events.c.body.is_not(None), events.c.id > after)
        async with database.snapshot() as tx:
            found = (await tx.execute(query.order_by(events.c.id).limit(EVENTS))).all()
        naming = [row.id for row in found if any(word in row.body.lower() for word in words)]
        if naming:
            async with database.transaction() as tx:
                await tx.execute(update(events).where(events.c.id.in_(naming)).values(body=None))
        if len(found) < EVENTS:
            return
        after = found[-1].id


def _spellings(words: list[Any]) -> set[bytes]:
    """The spellings of each word in JSON."""
    return {text.lower().encode() for word in words for text in (word, json.dumps(word)[1:-1])}


ERASE = tasks.register(
    "privacy.erase", _erase, queue="maintenance", time_limit=1800, attempts=20, backoff=10, longest_backoff=3600
)
