"""WebAuthn challenges: random, stored by digest, used once within five minutes."""

import base64
import secrets
from datetime import timedelta
from typing import Literal

from sqlalchemy import delete, insert, select, update

from hortus.accounts import digest_of
from hortus.auth.tables import PasskeyChallenge
from hortus.core import clock, ids
from hortus.core.db import Tx

CHALLENGE_SECONDS = 300
Purpose = Literal["register", "login", "step_up"]


async def open_challenge(tx: Tx, purpose: Purpose, *, user_id: str | None = None, session_id: str = "") -> bytes:
    """Create a challenge for a purpose, user and session."""
    challenge, now = secrets.token_bytes(32), clock.now()
    row = {
        "id": ids.new(),
        "digest": _digest(challenge, session_id),
        "purpose": purpose,
        "user_id": user_id,
        "created_at": now,
        "expires_at": now + timedelta(seconds=CHALLENGE_SECONDS),
    }
    await tx.execute(insert(PasskeyChallenge), row)
    return challenge


async def use_challenge(
    tx: Tx, challenge: bytes, purpose: Purpose, *, user_id: str | None = None, session_id: str = ""
) -> bool:
    """Use a challenge; whether this was its only use, for its purpose, in time."""
    used = await tx.execute(
        update(PasskeyChallenge)
        .where(
            PasskeyChallenge.digest == _digest(challenge, session_id),
            PasskeyChallenge.purpose == purpose,
            PasskeyChallenge.user_id.is_(None) if user_id is None else PasskeyChallenge.user_id == user_id,
            PasskeyChallenge.used_at.is_(None),
            PasskeyChallenge.expires_at > clock.now(),
        )
        .values(used_at=clock.now())
        .returning(PasskeyChallenge.id)
    )
    return used.first() is not None


async def sweep_challenges(tx: Tx, limit: int = 1000) -> int:
    """Delete up to `limit` expired challenges; how many."""
    old = (
        select(PasskeyChallenge.id)
        .where(PasskeyChallenge.expires_at <= clock.now())
        .order_by(PasskeyChallenge.expires_at)
        .limit(limit)
    )
    gone = await tx.execute(delete(PasskeyChallenge).where(PasskeyChallenge.id.in_(old)).returning(PasskeyChallenge.id))
    return len(gone.all())


def _digest(challenge: bytes, session_id: str) -> str:
    return digest_of(f"{session_id} {base64.urlsafe_b64encode(challenge).decode()}")
