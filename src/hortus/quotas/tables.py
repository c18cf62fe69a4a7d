"""Plans, and how much of them each user has used.

`user_id` is no foreign key: what was used outlives the user, like the ledger.
"""

from datetime import date, datetime

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type

REFERENCE = String(120).with_variant(String(120, collation="C"), "postgresql")
WORD = String(20).with_variant(String(20, collation="C"), "postgresql")
ROOM_TO_UPDATE = {"fillfactor": 80}  # updates stay on their page and touch no index


class Plan(Base):
    """One version of a plan. A version that was sold never changes; a change is a new version.

    `prices` are per month and `yearly_prices` per year, in the minor unit by currency; `monthly_credits`
    are micro-credits. `features` are words for price lists, `qualities` those that may be asked for.
    `defaults` is a digest of the defaults this version was made from, null when an operator made it.
    """

    __tablename__ = "plans"
    __table_args__ = (
        UniqueConstraint("name", "version"),
        CheckConstraint("monthly_credits >= 0", "credits_not_negative"),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    name: Mapped[str] = mapped_column(WORD)
    version: Mapped[int]
    title: Mapped[str] = mapped_column(String(80))
    prices: Mapped[dict[str, int]] = mapped_column(JSON)
    yearly_prices: Mapped[dict[str, int]] = mapped_column(JSON, server_default="{}")
    features: Mapped[list[str]] = mapped_column(JSON, server_default="[]")
    qualities: Mapped[list[str]] = mapped_column(JSON, server_default='["economy", "balanced", "premium"]')
    trial_days: Mapped[int] = mapped_column(server_default="0")
    monthly_credits: Mapped[int] = mapped_column(BigInteger)
    active: Mapped[bool]
    defaults: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]


class PlanWindow(Base):
    """How often a kind may be made per day or month; a null limit is unlimited, and so is a kind without a row."""

    __tablename__ = "plan_windows"
    __table_args__ = (
        CheckConstraint("\"window\" IN ('day', 'month')", "window_is_known"),
        CheckConstraint('"limit" >= 0', "limit_not_negative"),
    )

    plan_id: Mapped[str] = mapped_column(ForeignKey(Plan.id), primary_key=True)
    kind: Mapped[str] = mapped_column(WORD, primary_key=True)
    window: Mapped[str] = mapped_column(WORD, primary_key=True)
    limit: Mapped[int | None]


class PlanHolder(Base):
    """The plan a user has until some moment (null: for good). Without a row it is the newest `basic`."""

    __tablename__ = "plan_holders"
    __table_args__ = (Index(None, "plan_id"),)

    user_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey(Plan.id))
    until: Mapped[datetime | None]


class QuotaUsage(Base):
    """How often a user made a kind in the day or month that begins on `starts_on`, in the quota calendar."""

    __tablename__ = "quota_usage"
    __table_args__ = (CheckConstraint("used >= 0", "used_not_negative"), {"postgresql_with": ROOM_TO_UPDATE})

    user_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    kind: Mapped[str] = mapped_column(WORD, primary_key=True)
    window: Mapped[str] = mapped_column(WORD, primary_key=True)
    starts_on: Mapped[date] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column(Integer)


class QuotaTake(Base):
    """One use, and the periods it was counted in, so that it can be given back there, once."""

    __tablename__ = "quota_takes"
    __table_args__ = (
        CheckConstraint("status IN ('taken', 'given_back')", "status_is_known"),
        CheckConstraint("count >= 0", "count_not_negative"),
        Index(None, "user_id"),
        {"postgresql_with": ROOM_TO_UPDATE},
    )

    reference: Mapped[str] = mapped_column(REFERENCE, primary_key=True)
    user_id: Mapped[str] = mapped_column(id_type())
    kind: Mapped[str] = mapped_column(WORD)
    count: Mapped[int]
    day: Mapped[date]
    month: Mapped[date]
    status: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]


class BudgetUsage(Base):
    """What an API key used in the day or month that begins on `starts_on`, in the quota calendar.

    `calls` and `credits` (micro-credits) count against its budgets and fall when work is given back; `accepted`
    and `failures` are history, and do not.
    """

    __tablename__ = "budget_usage"
    __table_args__ = (
        CheckConstraint("calls >= 0", "calls_not_negative"),
        CheckConstraint("credits >= 0", "credits_not_negative"),
        {"postgresql_with": ROOM_TO_UPDATE},
    )

    key_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    window: Mapped[str] = mapped_column(WORD, primary_key=True)
    starts_on: Mapped[date] = mapped_column(primary_key=True)
    accepted: Mapped[int] = mapped_column(BigInteger)
    calls: Mapped[int] = mapped_column(BigInteger)
    credits: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(BigInteger)


class BudgetTake(Base):
    """One call of a key, and the periods it was counted in, so that it can be given back there, once."""

    __tablename__ = "budget_takes"
    __table_args__ = (
        CheckConstraint("status IN ('taken', 'given_back')", "status_is_known"),
        CheckConstraint("calls >= 0", "calls_not_negative"),
        CheckConstraint("credits >= 0", "credits_not_negative"),
        {"postgresql_with": ROOM_TO_UPDATE},
    )

    reference: Mapped[str] = mapped_column(REFERENCE, primary_key=True)
    key_id: Mapped[str] = mapped_column(id_type())
    calls: Mapped[int] = mapped_column(BigInteger)
    credits: Mapped[int] = mapped_column(BigInteger)
    day: Mapped[date]
    month: Mapped[date]
    status: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]
