"""Requests that may come twice: the same key and body give the first answer again for 24 hours.

The key is claimed in the transaction that does the work, so key and effect commit
together or not at all; a parallel request with the same key waits for that commit.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select, update

from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.errors import IdempotencyInProgress, IdempotencyMismatch
from hortus.core.tables import IdempotencyKey

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Claim:
    """One use of a key. `scope` is whose key it is, `fingerprint` what was asked."""

    scope: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered the first time."""

    status: int
    body: dict[str, Any]


def fingerprint(*parts: str | bytes) -> str:
    """A digest of what was asked: route, body, files."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


async def claim(tx: Tx, wanted: Claim) -> Answer | None:
    """None when this is the first request with the key: do the work, then `keep` its answer.

    Otherwise the first answer. Raises IdempotencyMismatch, or IdempotencyInProgress when
    the first request committed its claim and has no answer yet.
    """
    fresh = {"fingerprint": wanted.fingerprint, "status": None, "answer": None, "expires_at": clock.now() + KEPT}
    statement = (
        tx.insert(IdempotencyKey)
        .values(scope=wanted.scope, key=wanted.key, **fresh)
        .on_conflict_do_update(
            index_elements=["scope", "key"], set_=fresh, where=IdempotencyKey.expires_at < clock.now()
        )
        .returning(IdempotencyKey.key)
    )
    if (await tx.execute(statement)).first() is not None:
        return None
    found = (
        await tx.execute(
            select(IdempotencyKey.fingerprint, IdempotencyKey.status, IdempotencyKey.answer).where(
                IdempotencyKey.scope == wanted.scope, IdempotencyKey.key == wanted.key
            )
        )
    ).one()
    if found.fingerprint != wanted.fingerprint:
        raise IdempotencyMismatch
    if found.status is None:
        raise IdempotencyInProgress(headers={"Retry-After": "1"}, retry_after=1)
    return Answer(found.status, found.answer or {})


async def keep(tx: Tx, claimed: Claim, status: int, body: dict[str, Any]) -> None:
    """Remember the answer, in the transaction of the effect."""
    await tx.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.scope == claimed.scope, IdempotencyKey.key == claimed.key)
        .values(status=status, answer=body)
    )


async def drop(tx: Tx, claimed: Claim) -> None:
    """Give a claim up: the work was refused, and a repeat may try again."""
    await tx.execute(
        delete(IdempotencyKey).where(IdempotencyKey.scope == claimed.scope, IdempotencyKey.key == claimed.key)
    )


async def sweep(tx: Tx, limit: int = 1000) -> int:
    """Forget up to `limit` keys that ran out; returns how many."""
    old = (
        select(IdempotencyKey.scope, IdempotencyKey.key).where(IdempotencyKey.expires_at < clock.now()).limit(limit)
    ).subquery()
    result = await tx.execute(
        delete(IdempotencyKey).where(
            select(old.c.key).where(old.c.scope == IdempotencyKey.scope, old.c.key == IdempotencyKey.key).exists()
        )
    )
    return cast("CursorResult[Any]", result).rowcount
