"""Links in e-mails: 256 random bits, stored as a digest, for one use."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import delete, insert, select, update

from hortus.accounts import Target, User, digest_of, new_secret
from hortus.auth.tables import LinkToken
from hortus.core import clock
from hortus.core.db import Tx

LinkPurpose = Literal["verify", "reset_password"]
LINK_LIFETIMES = {"verify": timedelta(hours=24), "reset_password": timedelta(hours=1)}
PATHS = {"verify": "/verify-email", "reset_password": "/reset-password"}


def purpose_of(text: str) -> LinkPurpose | None:
    """The link purpose of that name, if e-mails for it contain a link."""
    return text if text in ("verify", "reset_password") else None  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class ConsumedLink:
    """The user and target of a link that was used."""

    user_id: str
    target: Target


async def make_link(tx: Tx, base: str, purpose: LinkPurpose, user_id: str, target: Target) -> str:
    """A new link. The token is in the fragment, which is not sent to servers or logged."""
    return f"{base}{PATHS[purpose]}#token={await make_token(tx, purpose, user_id, target)}"


async def make_token(tx: Tx, purpose: LinkPurpose, user_id: str, target: Target) -> str:
    """The token of a fresh link; the links before it for the same purpose stop working."""
    # Two concurrent links would not see each other: the lock on the user serialises them.
    await tx.execute(select(User.id).where(User.id == user_id).with_for_update())
    await cancel_links(tx, user_id, purpose, None if purpose == "reset_password" else target)
    secret = new_secret()
    row = {
        "digest": digest_of(secret),
        "purpose": purpose,
        "user_id": user_id,
        "kind": target.kind,
        "target": target.value,
        "expires_at": clock.now() + LINK_LIFETIMES[purpose],
    }
    await tx.execute(insert(LinkToken), row)
    return secret


async def consume_link(tx: Tx, purpose: LinkPurpose, token: str) -> ConsumedLink | None:
    """Use a link once; None if it is invalid. One of several concurrent requests succeeds."""
    now = clock.now()
    used = (
        update(LinkToken)
        .where(
            LinkToken.digest == digest_of(token),
            LinkToken.purpose == purpose,
            LinkToken.used_at.is_(None),
            LinkToken.expires_at > now,
        )
        .values(used_at=now)
        .returning(LinkToken.user_id, LinkToken.kind, LinkToken.target)
    )
    row = (await tx.execute(used)).one_or_none()
    return ConsumedLink(row.user_id, Target(row.kind, row.target)) if row is not None else None


async def cancel_links(tx: Tx, user_id: str, purpose: LinkPurpose, target: Target | None = None) -> None:
    """Invalidate the links of a user for a purpose, optionally only those sent to one target."""
    query = update(LinkToken).where(
        LinkToken.user_id == user_id, LinkToken.purpose == purpose, LinkToken.used_at.is_(None)
    )
    if target is not None:
        query = query.where(LinkToken.kind == target.kind, LinkToken.target == target.value)
    await tx.execute(query.values(used_at=clock.now()))


async def sweep_links(tx: Tx, limit: int = 1000) -> int:
    """Delete up to `limit` expired links; how many."""
    old = select(LinkToken.digest).where(LinkToken.expires_at < clock.now()).limit(limit)
    gone = await tx.execute(delete(LinkToken).where(LinkToken.digest.in_(old)).returning(LinkToken.digest))
    return len(gone.all())
