"""Requests that may come twice: the same key and body give the first answer again for 24 hours.

The key is claimed in the transaction that does the work, so key and effect commit
together or not at all; a parallel request with the same key waits for that commit.

A stored answer is given again only while its caller could still read what it names: every use of `claim` and
`answer_many` checks that first. Answers that bear credentials are not stored at all: `claim_once`.
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
    """One use of a key. `scope` is whose key it is, `fingerprints` what was asked: the first is stored, any matches."""

    scope: str
    key: str
    fingerprints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered the first time, or is now."""

    status: int
    body: dict[str, Any]
    replayed: bool = False
    """Whether it was given before."""


def fingerprints(keys: Sequence[bytes], *parts: str | bytes) -> tuple[str, ...]:
    """Digests of what was asked (route, body, files) under each of the installation's keys.

    They are keyed, because bodies hold passwords and codes that a plain digest would let a reader of the database
    guess.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return tuple(hmac.digest(key, digest.digest(), "sha256").hex() for key in keys)


async def claim(tx: Tx, wanted: Claim) -> Answer | None:
    """None when this is the first request with the key: do the work, then `keep` its answer.

    Otherwise the first answer, which is to be given only after a check that the caller may still read what it
    names. Raises IdempotencyMismatch, or IdempotencyInProgress when the first request committed its claim and has
    no answer yet.
    """
    if await _is_first(tx, wanted):
        return None
    status, answer = await _found(tx, wanted)
    if status is None:
        raise IdempotencyInProgress(headers={"Retry-After": "1"}, retry_after=1)
    return Answer(status, answer or {}, replayed=True)


async def claim_once(tx: Tx, wanted: Claim, next_step: str) -> None:
    """Return for the first request with the key, whose answer is stored nowhere.

    Every later one raises AlreadyDone with `next_step`, or IdempotencyMismatch. One that arrives while the first is
    running waits for its commit.
    """
    if not await _is_first(tx, wanted):
        await _found(tx, wanted)
        raise AlreadyDone(next_step)
    await keep(tx, wanted, AlreadyDone.status, {})


async def _is_first(tx: Tx, wanted: Claim) -> bool:
    fresh = {
        "fingerprint": wanted.fingerprints[0],
        "status": None,
        "answer": None,
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
    """The status and answer of the first request; raises IdempotencyMismatch when it asked for something else."""
    found = (
        await tx.execute(
            select(IdempotencyRecord.fingerprint, IdempotencyRecord.status, IdempotencyRecord.answer).where(
                IdempotencyRecord.scope == wanted.scope, IdempotencyRecord.key == wanted.key
            )
        )
    ).one()
    if found.fingerprint not in wanted.fingerprints:
        raise IdempotencyMismatch
    return found.status, found.answer


async def answer_many(
    tx: Tx,
    claims: Sequence[Claim | None],
    make: Callable[[Sequence[int]], Awaitable[Sequence[Answer | Problem]]],
    check: Callable[[Mapping[int, Answer]], Awaitable[Mapping[int, Problem]]],
) -> list[Answer | Exception]:
    """The answer to each of a batch: the kept one for a repeat, else what `make(places)` says to the fresh ones.

    A fresh answer is kept; a key whose work was refused is given up. None is a request without a key. `check` gets
    the kept answers by place and returns a Problem for each whose caller may not read any more what it names.
    """
    later = _repeats(claims)
    answers = await _kept(tx, {place: wanted for place, wanted in enumerate(claims) if wanted and place not in later})
    kept = {place: answer for place, answer in answers.items() if isinstance(answer, Answer)}
    if kept:
        answers.update(await check(kept))
    fresh = [place for place in range(len(claims)) if place not in answers and place not in later]
    for place, answer in zip(fresh, await make(fresh) if fresh else (), strict=True):
        answers[place] = answer
        if (wanted := claims[place]) is None:
            continue
        if isinstance(answer, Answer):
            await keep(tx, wanted, answer.status, answer.body)
        else:
            await drop(tx, wanted)
    if later:  # the second one of a key finds the first one's answer, now that it is there

        async def make_later(places: Sequence[int]) -> Sequence[Answer | Problem]:
            return await make([later[place] for place in places])

        async def check_later(repeated: Mapping[int, Answer]) -> Mapping[int, Problem]:
            found = await check({later[place]: answer for place, answer in repeated.items()})
            return {place: found[later[place]] for place in repeated if later[place] in found}

        again = await answer_many(tx, [claims[place] for place in later], make_later, check_later)
        answers.update(zip(later, again, strict=True))
    return [answers[place] for place in range(len(claims))]


def _repeats(claims: Sequence[Claim | None]) -> list[int]:
    """The places whose key stands earlier in the same batch."""
    seen: set[tuple[str, str]] = set()
    found: list[int] = []
    for place, wanted in enumerate(claims):
        if wanted is not None:
            if (wanted.scope, wanted.key) in seen:
                found.append(place)
            seen.add((wanted.scope, wanted.key))
    return found


async def _kept(tx: Tx, claims: Mapping[int, Claim]) -> dict[int, Answer | Exception]:
    """The kept answers, and the refusals, of keys that came before."""
    answers: dict[int, Answer | Exception] = {}
    for place, wanted in claims.items():
        try:
            kept = await claim(tx, wanted)
        except Problem as problem:
            answers[place] = problem
        else:
            if kept is not None:
                answers[place] = kept
    return answers


async def keep(tx: Tx, claimed: Claim, status: int, body: dict[str, Any]) -> None:
    """Remember the answer, in the transaction of the effect."""
    await tx.execute(
        update(IdempotencyRecord)
        .where(IdempotencyRecord.scope == claimed.scope, IdempotencyRecord.key == claimed.key)
        .values(status=status, answer=body)
    )


async def drop(tx: Tx, claimed: Claim) -> None:
    """Give a claim up: the work was refused, and a repeat may try again."""
    await tx.execute(
        delete(IdempotencyRecord).where(IdempotencyRecord.scope == claimed.scope, IdempotencyRecord.key == claimed.key)
    )


async def sweep_idempotency_keys(tx: Tx, limit: int = 1000) -> int:
    """Forget up to `limit` keys that ran out; returns how many."""
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
