"""Records of consents: the version of the text, the time and the anonymised network of each change."""

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
class ConsentStatus:
    """The current consent of one kind. `version` is the accepted text, `current` the text in force."""

    given: bool
    version: str | None
    said_at: datetime | None
    current: str


def current_versions(tx: Tx) -> dict[str, str]:
    """The current version of the text of each kind of consent."""
    rules = tx.settings(PrivacySettings)
    return {"terms": rules.terms_version, "marketing": rules.marketing_consent_version}


async def record_consent(tx: Tx, change: accounts.ConsentChange) -> None:
    """Record a consent in the transaction that changes it."""
    row = {
        "id": ids.new(),
        "user_id": change.user_id,
        "kind": change.kind,
        "given": change.given,
        "version": current_versions(tx)[change.kind][:40],
        "source": change.source,
        "network": change.network,
        "said_at": clock.now(),
    }
    await tx.execute(insert(ConsentRecord), row)


async def consent_statuses(tx: Tx, user_id: str) -> dict[str, ConsentStatus]:
    """The current consents of a user by kind; without a record a consent is not given."""
    newest = select(func.max(ConsentRecord.id)).where(ConsentRecord.user_id == user_id).group_by(ConsentRecord.kind)
    rows = (await tx.execute(select(ConsentRecord).where(ConsentRecord.id.in_(newest)))).scalars()
    recorded = {row.kind: row for row in rows}
    return {
        kind: ConsentStatus(row.given, row.version, row.said_at, current)
        if (row := recorded.get(kind))
        else _not_given(current)
        for kind, current in current_versions(tx).items()
    }


def _not_given(current: str) -> ConsentStatus:
    return ConsentStatus(given=False, version=None, said_at=None, current=current)


async def history_of(tx: Tx, user_id: str, paging: PageRequest) -> Page[Any]:
    """All recorded consents of a user, newest first."""
    return await newest(tx, select(ConsentRecord).where(ConsentRecord.user_id == user_id), paging, ConsentRecord.id)
