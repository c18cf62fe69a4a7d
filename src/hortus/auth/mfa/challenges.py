"""Challenges of sign-ins that wait for the second factor: a random secret, stored by digest."""

from datetime import timedelta

from sqlalchemy import delete, insert, select, update

from hortus.accounts import digest_of, new_secret
from hortus.auth.tables import SecondFactorChallenge
from hortus.core import clock
from hortus.core.db import Tx

CHALLENGE_SECONDS = 300
TRIES = 5


async def open_challenge(tx: Tx, user_id: str) -> str:
    """Create a challenge for a user after the first factor, valid for five minutes, five attempts and one use."""
    secret, now = new_secret(), clock.now()
    row = {
        "digest": digest_of(secret),
        "user_id": user_id,
        "tries": 0,
        "created_at": now,
        "expires_at": now + timedelta(seconds=CHALLENGE_SECONDS),
    }
    await tx.execute(insert(SecondFactorChallenge), row)
    return secret


async def count_attempt(tx: Tx, challenge: str) -> tuple[str, int] | None:
    """Count an attempt; returns the user and the attempts left, or None if the challenge is invalid."""
    found = await tx.execute(
        update(SecondFactorChallenge)
        .where(
            SecondFactorChallenge.digest == digest_of(challenge),
            SecondFactorChallenge.used_at.is_(None),
            SecondFactorChallenge.expires_at > clock.now(),
            SecondFactorChallenge.tries < TRIES,
        )
        .values(tries=SecondFactorChallenge.tries + 1)
        .returning(SecondFactorChallenge.user_id, SecondFactorChallenge.tries)
    )
    row = found.one_or_none()
    return (row.user_id, TRIES - row.tries) if row is not None else None


async def use_challenge(tx: Tx, challenge: str) -> bool:
    """Use it up; whether this was its one use."""
    used = await tx.execute(
        update(SecondFactorChallenge)
        .where(SecondFactorChallenge.digest == digest_of(challenge), SecondFactorChallenge.used_at.is_(None))
        .values(used_at=clock.now())
        .returning(SecondFactorChallenge.digest)
    )
    return used.first() is not None


async def sweep_challenges(tx: Tx, limit: int = 1000) -> int:
    """Delete up to `limit` expired challenges; how many."""
    old = (
        select(SecondFactorChallenge.digest)
        .where(SecondFactorChallenge.expires_at <= clock.now())
        .order_by(SecondFactorChallenge.expires_at)
        .limit(limit)
    )
    gone = await tx.execute(
        delete(SecondFactorChallenge)
        .where(SecondFactorChallenge.digest.in_(old))
        .returning(SecondFactorChallenge.digest)
    )
    return len(gone.all())
