"""Append-only tables: triggers of both databases reject UPDATE and DELETE."""

from collections.abc import Sequence

from sqlalchemy import DDL, Table, event


def append_only(table: Table) -> None:
    """Reject UPDATE and DELETE on `table` by triggers.

    They are created by `create_all`; migrations execute `append_only_statements`.
    """
    for dialect in ("sqlite", "postgresql"):
        for statement in append_only_statements(table.name, dialect):
            event.listen(table, "after_create", _ddl(statement, dialect))


def _ddl(statement: str, dialect: str) -> DDL:
    escaped = statement.replace("%", "%%")
    return DDL(escaped).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]


def append_only_statements(table: str, dialect: str) -> Sequence[str]:
    """The DDL behind `append_only`."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for verb in ("update", "delete")
        ]
    return [
        (
            f"CREATE OR REPLACE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
        ),
        (
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_append_only()"
        ),
    ]
