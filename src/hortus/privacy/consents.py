"""The record of what people agreed to: which text, when, and roughly from where."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select

from hortus import accounts
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.privacy.settings import PrivacySettings
from hortus.privacy.tables import ConsentRecord

KINDS: tuple[accounts.ConsentKind, ...] = ("terms", "marketing")


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds now for one kind of consent. `version` is the text that was agreed to, `current` the one in force."""

    given: bool
    version: str | None
    said_at: datetime | None
    current: str


def current_versions(tx: Tx) -> dict[str, str]:
    """The texts in force, by kind."""
    rules = tx.settings(PrivacySettings)
    return {"terms": rules.terms_version, "marketing": rules.marketing_consent_version}


async def record_consent(tx: Tx, said: accounts.ConsentChange) -> None:
    """Add to the record, in the transaction in which it was said."""
    row = {
        "id": ids.new(),
        "user_id": said.user_id,
        "kind": said.kind,
        "given": said.given,
        "version": current_versions(tx)[said.kind][:40],
        "source": said.source,
        "network": said.network,
        "said_at": clock.now(),
    }
    await tx.execute(insert(ConsentRecord), row)


async def standing_of(tx: Tx, user_id: str) -> dict[str, Standing]:
    """What a user agrees to now, by kind; nothing said is nothing given."""
    newest = select(func.max(ConsentRecord.id)).where(ConsentRecord.user_id == user_id).group_by(ConsentRecord.kind)
    rows = (await tx.execute(select(ConsentRecord).where(ConsentRecord.id.in_(newest)))).scalars()
    said = {row.kind: row for row in rows}
    return {
        kind: Standing(row.given, row.version, row.said_at, current) if (row := said.get(kind)) else _silent(current)
        for kind, current in current_versions(tx).items()
    }


def _silent(current: str) -> Standing:
    return Standing(given=False, version=None, said_at=None, current=current)


async def history_of(tx: Tx, user_id: str, paging: PageRequest) -> Page[Any]:
    """Everything a user ever agreed to or took back, newest first."""
    return await newest(tx, select(ConsentRecord).where(ConsentRecord.user_id == user_id), paging, ConsentRecord.id)
