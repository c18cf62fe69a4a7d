"""Closes open event streams whose reader has lost access.

One check per process covers all open streams, with one query for sessions and one for API keys. It runs every second
and does not depend on messages from other processes; the announcement of a change only makes it run earlier.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager
from typing import cast

import structlog
from sqlalchemy import or_, select

from hortus.accounts import ACCESS_CHANGED, Principal, Session, User, digest_of_name
from hortus.auth.api_keys.ip_allowlist import parse_network
from hortus.auth.tables import ApiKey, ApiKeySecret
from hortus.core import clock
from hortus.core.background import alongside
from hortus.core.db import Database, Tx
from hortus.core.db.bulk import in_json
from hortus.core.events import Bus
from hortus.core.web.sse import Streams

log = structlog.get_logger()
CHECK_SECONDS = 1.0
TIMEOUT_SECONDS = 5.0
UNVERIFIED_SECONDS = 15.0
"""A process whose checks have failed for this long closes its streams, because access cannot be verified."""


@asynccontextmanager
async def enforce_stream_access(
    streams: Streams, database: Database, bus: Bus, *, give_up: float = UNVERIFIED_SECONDS
) -> AsyncIterator[None]:
    """Until the end of the block, close every stream within seconds after its reader has lost access.

    A reader loses access when the session is revoked or expires, when the API key or its secret is revoked, disabled,
    rotated or expires, when the key's scopes or addresses change, and when the account is suspended, closed, deleted or
    gets another role. If the database cannot be read for `give_up` seconds, every stream is closed.
    """
    async with alongside(_check_for_ever(streams, database, bus, give_up)):
        yield


async def _check_for_ever(streams: Streams, database: Database, bus: Bus, give_up: float) -> None:
    checked = verified = time.monotonic()
    async with aclosing(bus.subscribe(ACCESS_CHANGED, wait=CHECK_SECONDS)) as events:
        async for event in events:
            readers = cast("set[Principal]", streams.readers())
            now = time.monotonic()
            if event is not None and now - checked < CHECK_SECONDS:
                changed = set(event.data["digests"])
                await _check(streams, database, {each for each in readers if changed & _digests(each)})
                continue
            checked = now
            if await _check(streams, database, readers):
                verified = now
            elif now - verified >= give_up:
                log.warning("event_streams_unverified", streams=streams.end_of(readers))


async def _check(streams: Streams, database: Database, readers: Collection[Principal]) -> bool:
    """Close the streams of `readers` that have lost access; whether the database could be read."""
    if not readers:
        return True
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS), database.snapshot() as tx:
            kept = await _with_access(tx, readers)
    except Exception as error:  # the database is away: the next check is soon
        log.warning("event_stream_check_failed", error=type(error).__name__)
        return False
    lost = {each for each in readers if each not in kept}
    if lost:
        log.info("event_streams_ended", streams=streams.end_of(lost))
    return True


def _digests(caller: Principal) -> set[str]:
    own = f"key:{caller.key_id}" if caller.key_id else f"session:{caller.session_id}"
    return {digest_of_name(own), digest_of_name(f"user:{caller.user_id}")}


async def _with_access(tx: Tx, readers: Collection[Principal]) -> set[Principal]:
    """The `readers` who still have the same access as when they opened their streams."""
    now = clock.now()
    sessions = {each.session_id for each in readers if each.key_id is None}
    digests = {each.secret_digest for each in readers if each.secret_digest is not None}
    found: set[tuple[object, ...]] = set()
    if sessions:
        query = (
            select(Session.id, User.role)
            .join(User, User.id == Session.user_id)
            .where(in_json(Session.id, sessions), Session.revoked_at.is_(None), Session.expires_at > now)
            .where(User.status == "active")
        )
        found |= {tuple(row) for row in await tx.execute(query)}
    if digests:
        keys = (
            select(ApiKeySecret.digest, User.role, ApiKey.scopes, ApiKey.addresses)
            .join(ApiKey, ApiKey.id == ApiKeySecret.key_id)
            .join(User, User.id == ApiKey.user_id)
            .where(in_json(ApiKeySecret.digest, digests), ApiKey.revoked_at.is_(None), ApiKey.enabled)
            .where(or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now))
            .where(or_(ApiKeySecret.expires_at.is_(None), ApiKeySecret.expires_at > now))
            .where(User.status == "active")
        )
        for digest, role, scopes, addresses in await tx.execute(keys):
            networks = tuple(parse_network(text) for text in addresses) if addresses is not None else None
            found.add((digest, role, frozenset(scopes), networks))
    return {each for each in readers if _access(each) in found}


def _access(caller: Principal) -> tuple[object, ...]:
    if caller.key_id is None:
        return caller.session_id, caller.role
    return caller.secret_digest, caller.role, caller.scopes, caller.networks
