"""Idempotency keys: a repeated request with the same key and body gets the first response again for 24 hours.

The key is claimed in the transaction that does the work, so key and effect commit together or not at all; a
concurrent request with the same key waits for that commit.

A stored response is sent again only while its caller could still read the resource: every use of `claim` and
`ReplayBatch` checks that first. Responses with credentials are not stored: `claim_once`.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select, update

from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.errors import AlreadyDone, IdempotencyInProgress, IdempotencyMismatch, Problem
from hortus.core.tables import IdempotencyRecord

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Claim:
    """One use of a key. `scope` is its owner, `fingerprints` identify the request; the first one is stored."""

    scope: str
    key: str
    fingerprints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IdempotentResponse:
    """A response: the stored one of the first request, or a new one."""

    status: int
    body: dict[str, Any]
    replayed: bool = False
    """Whether it was sent before."""


def fingerprints(keys: Sequence[bytes], *parts: str | bytes) -> tuple[str, ...]:
    """Keyed digests of the request (route, body, files) under each key of the installation.

    A plain digest of a body with a password or code could be guessed by a reader of the database.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return tuple(hmac.digest(key, digest.digest(), "sha256").hex() for key in keys)


async def claim(tx: Tx, wanted: Claim) -> IdempotentResponse | None:
    """None for the first request with the key: do the work, then `store` its response.

    Otherwise the first response, to be sent only after a check that the caller may still read the resource. Raises
    IdempotencyMismatch, or IdempotencyInProgress if the first request committed its claim and has no response yet.
    """
    if await _is_first(tx, wanted):
        return None
    status, response = await _found(tx, wanted)
    if status is None:
        raise IdempotencyInProgress(headers={"Retry-After": "1"}, retry_after=1)
    return IdempotentResponse(status, response or {}, replayed=True)


async def claim_once(tx: Tx, wanted: Claim, next_step: str) -> None:
    """Return for the first request with the key; its response is not stored.

    Every later one raises AlreadyDone with `next_step`, or IdempotencyMismatch. One that arrives while the first is
    running waits for its commit.
    """
    if not await _is_first(tx, wanted):
        await _found(tx, wanted)
        raise AlreadyDone(next_step)
    await store(tx, wanted, AlreadyDone.status, {})


async def _is_first(tx: Tx, wanted: Claim) -> bool:
    fresh = {
        "fingerprint": wanted.fingerprints[0],
        "status": None,
        "response": None,
        "expires_at": clock.now() + KEPT,
    }
    statement = (
        tx.insert(IdempotencyRecord)
        .values(scope=wanted.scope, key=wanted.key, **fresh)
        .on_conflict_do_update(
            index_elements=["scope", "key"], set_=fresh, where=IdempotencyRecord.expires_at < clock.now()
        )
        .returning(IdempotencyRecord.key)
    )
    return (await tx.execute(statement)).first() is not None


async def _found(tx: Tx, wanted: Claim) -> tuple[int | None, dict[str, Any] | None]:
    """The status and response of the first request; raises IdempotencyMismatch if the requests differ."""
    found = (
        await tx.execute(
            select(IdempotencyRecord.fingerprint, IdempotencyRecord.status, IdempotencyRecord.response).where(
                IdempotencyRecord.scope == wanted.scope, IdempotencyRecord.key == wanted.key
            )
        )
    ).one()
    if found.fingerprint not in wanted.fingerprints:
        raise IdempotencyMismatch
    return found.status, found.response


class ReplayBatch:
    """Idempotency of a batch of requests: repetitions get the stored responses, the others are executed in rounds.

        batch = ReplayBatch(claims)
        while places := await batch.next_places(tx, check):
            await batch.store(tx, places, [...])  # the responses to the requests at these places
        return batch.responses

    A claim of None is a request without a key. A second round is needed where a key occurs twice in the batch. `check`
    gets stored responses by place and returns a Problem for each whose caller may no longer read the resource.
    """

    def __init__(self, claims: Sequence[Claim | None]) -> None:
        self._claims = claims
        self._waiting = list(range(len(claims)))
        self._responses: dict[int, IdempotentResponse | Exception] = {}

    @property
    def responses(self) -> list[IdempotentResponse | Exception]:
        """The response or the refusal for each request, once no place is left."""
        return [self._responses[place] for place in range(len(self._claims))]

    async def next_places(
        self, tx: Tx, check: Callable[[Tx, Mapping[int, IdempotentResponse]], Awaitable[Mapping[int, Problem]]]
    ) -> list[int]:
        """The places of requests to execute now; empty once each request has its response."""
        while self._waiting:
            now = self._take_first_of_each_key()
            claimed = {place: wanted for place in now if (wanted := self._claims[place]) is not None}
            found = await _stored_responses(tx, claimed) if claimed else {}
            stored = {place: response for place, response in found.items() if isinstance(response, IdempotentResponse)}
            if stored:
                found.update(await check(tx, stored))
            self._responses.update(found)
            if fresh := [place for place in now if place not in found]:
                return fresh
        return []

    def _take_first_of_each_key(self) -> list[int]:
        seen: set[tuple[str, str]] = set()
        now: list[int] = []
        later: list[int] = []
        for place in self._waiting:
            wanted = self._claims[place]
            if wanted is None:
                now.append(place)
                continue
            (later if (wanted.scope, wanted.key) in seen else now).append(place)
            seen.add((wanted.scope, wanted.key))
        self._waiting = later
        return now

    async def store(self, tx: Tx, places: Sequence[int], responses: Sequence[IdempotentResponse | Problem]) -> None:
        """Store new responses, and release the keys of refused requests."""
        for place, response in zip(places, responses, strict=True):
            self._responses[place] = response
            if (wanted := self._claims[place]) is None:
                continue
            if isinstance(response, IdempotentResponse):
                await store(tx, wanted, response.status, response.body)
            else:
                await release(tx, wanted)


async def _stored_responses(tx: Tx, claims: Mapping[int, Claim]) -> dict[int, IdempotentResponse | Exception]:
    """The stored responses, and the errors, of repeated keys."""
    responses: dict[int, IdempotentResponse | Exception] = {}
    for place, wanted in claims.items():
        try:
            stored = await claim(tx, wanted)
        except Problem as problem:
            responses[place] = problem
        else:
            if stored is not None:
                responses[place] = stored
    return responses


async def store(tx: Tx, claimed: Claim, status: int, body: dict[str, Any]) -> None:
    """Store the response in the transaction of the effect."""
    await tx.execute(
        update(IdempotencyRecord)
        .where(IdempotencyRecord.scope == claimed.scope, IdempotencyRecord.key == claimed.key)
        .values(status=status, response=body)
    )


async def release(tx: Tx, claimed: Claim) -> None:
    """Release a claim: the work was refused, and a repetition may try again."""
    await tx.execute(
        delete(IdempotencyRecord).where(IdempotencyRecord.scope == claimed.scope, IdempotencyRecord.key == claimed.key)
    )


async def sweep_idempotency_keys(tx: Tx, limit: int = 1000) -> int:
    """Delete up to `limit` expired keys; returns how many."""
    old = (
        select(IdempotencyRecord.scope, IdempotencyRecord.key)
        .where(IdempotencyRecord.expires_at < clock.now())
        .limit(limit)
    ).subquery()
    result = await tx.execute(
        delete(IdempotencyRecord).where(
            select(old.c.key).where(old.c.scope == IdempotencyRecord.scope, old.c.key == IdempotencyRecord.key).exists()
        )
    )
    return cast("CursorResult[Any]", result).rowcount
