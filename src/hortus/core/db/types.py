"""Column types, the base of table classes, and the database's own clock."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BindParameter, DateTime, Dialect, Double, MetaData, String, TypeDecorator, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.expression import FunctionElement


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime on both databases (SQLite keeps it as sortable text)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("datetimes must have a time zone")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back an aware time."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def id_type() -> String:
    """The column type of ids: 36 characters, compared by bytes, so that they sort by creation."""
    return String(36).with_variant(String(36, collation="C"), "postgresql")


class Base(DeclarativeBase):
    """The base of every table class."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012 - SQLAlchemy's own name and shape


class db_now(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """The database's clock plus `seconds`, for leases: the clocks of hosts may differ, the database has one.

    `seconds` may be a `bindparam` of type Double.
    """

    type = UtcDateTime()
    inherit_cache = True  # the seconds are a parameter, so the statement is compiled once

    def __init__(self, seconds: "float | BindParameter[float]" = 0.0) -> None:
        super().__init__(seconds if isinstance(seconds, BindParameter) else literal(float(seconds), Double))


def clock_sql(dialect: str, seconds: str) -> str:
    """SQL for the database's clock plus an expression of seconds."""
    if dialect == "postgresql":
        return f"(clock_timestamp() + make_interval(secs => {seconds}))"
    # Three zeros: stored times have microseconds and are compared as text.
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', printf('%+.3f seconds', {seconds})) || '000')"


@compiles(db_now, "postgresql")
@compiles(db_now, "sqlite")
def _now(element: db_now, compiler: Any, **given: Any) -> str:
    return clock_sql(compiler.dialect.name, compiler.process(element.clauses, **given))
