"""Tables of plans, quota usage and budget usage.

`user_id` is not a foreign key: usage rows outlive the user, like the ledger.
"""

from datetime import date, datetime

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type

REFERENCE = String(120).with_variant(String(120, collation="C"), "postgresql")
WORD = String(20).with_variant(String(20, collation="C"), "postgresql")
HOT_UPDATES = {"fillfactor": 80}  # leaves space for heap-only updates, which touch no index


class Plan(Base):
    """One version of a plan. Versions are immutable; a change inserts a new version.

    `prices` are per month and `yearly_prices` per year, in the minor unit by currency; `monthly_credits`
    are micro-credits. `features` are texts for price lists, `qualities` the qualities that its users may request.
    `defaults` is a digest of the defaults this version was created from, null when an operator published it.
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
    """Limit of a kind of generation per day or month. A null limit is unlimited, and so is a kind without a row."""

    __tablename__ = "plan_windows"
    __table_args__ = (
        CheckConstraint("\"window\" IN ('day', 'month')", "window_is_known"),
        CheckConstraint('"limit" >= 0', "limit_not_negative"),
    )

    plan_id: Mapped[str] = mapped_column(ForeignKey(Plan.id), primary_key=True)
    kind: Mapped[str] = mapped_column(WORD, primary_key=True)
    window: Mapped[str] = mapped_column(WORD, primary_key=True)
    limit: Mapped[int | None]


class UserPlan(Base):
    """The plan assigned to a user until a time (null: unlimited). A user without a row has the newest `basic`."""

    __tablename__ = "user_plans"
    __table_args__ = (Index(None, "plan_id"),)

    user_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey(Plan.id))
    until: Mapped[datetime | None]


class QuotaUsage(Base):
    """How many generations of a kind a user started in the day or month from `starts_on`, in the quota calendar."""

    __tablename__ = "quota_usage"
    __table_args__ = (CheckConstraint("used >= 0", "used_not_negative"), {"postgresql_with": HOT_UPDATES})

    user_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    kind: Mapped[str] = mapped_column(WORD, primary_key=True)
    window: Mapped[str] = mapped_column(WORD, primary_key=True)
    starts_on: Mapped[date] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column(Integer)


class QuotaUseRow(Base):
    """One use of quota and the periods it was counted in, so that it can be restored there, once."""

    __tablename__ = "quota_uses"
    __table_args__ = (
        CheckConstraint("status IN ('consumed', 'restored')", "status_is_known"),
        CheckConstraint("count >= 0", "count_not_negative"),
        Index(None, "user_id"),
        {"postgresql_with": HOT_UPDATES},
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
    """Usage of an API key in the day or month that begins on `starts_on`, in the quota calendar.

    `calls` and `credits` (micro-credits) count against its budgets and are reduced when a use is restored;
    `accepted` and `failures` are history and are not.
    """

    __tablename__ = "budget_usage"
    __table_args__ = (
        CheckConstraint("calls >= 0", "calls_not_negative"),
        CheckConstraint("credits >= 0", "credits_not_negative"),
        {"postgresql_with": HOT_UPDATES},
    )

    key_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    window: Mapped[str] = mapped_column(WORD, primary_key=True)
    starts_on: Mapped[date] = mapped_column(primary_key=True)
    accepted: Mapped[int] = mapped_column(BigInteger)
    calls: Mapped[int] = mapped_column(BigInteger)
    credits: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(BigInteger)


class BudgetUseRow(Base):
    """One call of a key and the periods it was counted in, so that it can be restored there, once."""

    __tablename__ = "budget_uses"
    __table_args__ = (
        CheckConstraint("status IN ('consumed', 'restored')", "status_is_known"),
        CheckConstraint("calls >= 0", "calls_not_negative"),
        CheckConstraint("credits >= 0", "credits_not_negative"),
        {"postgresql_with": HOT_UPDATES},
    )

    reference: Mapped[str] = mapped_column(REFERENCE, primary_key=True)
    key_id: Mapped[str] = mapped_column(id_type())
    calls: Mapped[int] = mapped_column(BigInteger)
    credits: Mapped[int] = mapped_column(BigInteger)
    day: Mapped[date]
    month: Mapped[date]
    status: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]
