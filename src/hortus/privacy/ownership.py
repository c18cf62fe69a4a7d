"""Owner clauses: SQL conditions that select the rows of a table that are about a user."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, Select, Table, and_, exists, or_, select

from hortus.core.db import Base

OwnerClause = Callable[[Table, str], ColumnElement[bool]]


def table_named(name: str) -> Table:
    """A table of any package, by its name."""
    return Base.metadata.tables[name]


def by(*columns: str) -> OwnerClause:
    """Rows with the user's id in one of these columns."""

    def rows(table: Table, user_id: str) -> ColumnElement[bool]:
        return or_(*(table.c[column] == user_id for column in columns))

    return rows


def through(column: str, parent: str, *, key: str = "id", owner: str = "user_id") -> OwnerClause:
    """Rows that reference rows of another table whose column `owner` is the user's id."""

    def rows(table: Table, user_id: str) -> ColumnElement[bool]:
        return table.c[column].in_(_keys(parent, key, owner, user_id))

    return rows


def _keys(parent: str, key: str, owner: str, user_id: str) -> Select[tuple[str]]:
    other = table_named(parent)
    return select(other.c[key]).where(other.c[owner] == user_id)


def reached_at(value: str, kind: str | None = None) -> OwnerClause:
    """Rows with an e-mail address or mobile number of the user."""

    def rows(table: Table, user_id: str) -> ColumnElement[bool]:
        known = table_named("identifiers")
        same = [known.c.user_id == user_id, known.c.value == table.c[value]]
        same.append(known.c.kind == (table.c[kind] if kind is not None else "email"))
        return exists().where(and_(*same))

    return rows


def any_of(*clauses: OwnerClause) -> OwnerClause:
    """Rows that match any of these clauses."""

    def rows(table: Table, user_id: str) -> ColumnElement[bool]:
        return or_(*(clause(table, user_id) for clause in clauses))

    return rows


def notes_about(table: Table, user_id: str) -> ColumnElement[bool]:
    """Notes of administrators about the user or about their generations."""
    events, works = table_named("audit_events"), table_named("generations")
    own = select(works.c.id).where(works.c.user_id == user_id)
    about = select(events.c.position).where(or_(events.c.target_id == user_id, events.c.target_id.in_(own)))
    return table.c.position.in_(about)
