"""Which rows of a table are about a user: said once, asked by the export and by the erasure."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, Select, Table, and_, exists, or_, select

from hortus.core.db import Base

Whose = Callable[[Table, str], ColumnElement[bool]]


def table_named(name: str) -> Table:
    """A table of any package: by its name, for nobody imports another's insides."""
    return Base.metadata.tables[name]


def by(*columns: str) -> Whose:
    """Rows with the user's id in one of these columns."""

    def rows(table: Table, user_id: str) -> ColumnElement[bool]:
        return or_(*(table.c[column] == user_id for column in columns))

    return rows


def through(column: str, parent: str, *, key: str = "id", owner: str = "user_id") -> Whose:
    """Rows that belong to rows of another table, which bear the user's id in `owner`."""

    def rows(table: Table, user_id: str) -> ColumnElement[bool]:
        return table.c[column].in_(_keys(parent, key, owner, user_id))

    return rows


def _keys(parent: str, key: str, owner: str, user_id: str) -> Select[tuple[str]]:
    other = table_named(parent)
    return select(other.c[key]).where(other.c[owner] == user_id)


def reached_at(value: str, kind: str | None = None) -> Whose:
    """Rows that name an address or number of the user."""

    def rows(table: Table, user_id: str) -> ColumnElement[bool]:
        known = table_named("identifiers")
        same = [known.c.user_id == user_id, known.c.value == table.c[value]]
        same.append(known.c.kind == (table.c[kind] if kind is not None else "email"))
        return exists().where(and_(*same))

    return rows


def any_of(*ways: Whose) -> Whose:
    """Rows found in any of these ways."""

    def rows(table: Table, user_id: str) -> ColumnElement[bool]:
        return or_(*(way(table, user_id) for way in ways))

    return rows


def notes_about(table: Table, user_id: str) -> ColumnElement[bool]:
    """What administrators wrote about the user or about their works."""
    events, works = table_named("audit_events"), table_named("generations")
    own = select(works.c.id).where(works.c.user_id == user_id)
    about = select(events.c.position).where(or_(events.c.target_id == user_id, events.c.target_id.in_(own)))
    return table.c.position.in_(about)
