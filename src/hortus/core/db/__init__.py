"""The database: transactions, column types, engines, statements over many rows, pages and search.

This package exports what every feature uses; import the rest from its module.
"""

from hortus.core.db.append_only import append_only, append_only_statements
from hortus.core.db.database import Database, NestedTransaction, normalise_url
from hortus.core.db.tx import Tx, TxContext
from hortus.core.db.types import Base, UtcDateTime, clock_sql, db_now, id_type

__all__ = [
    "Base",
    "Database",
    "NestedTransaction",
    "Tx",
    "TxContext",
    "UtcDateTime",
    "append_only",
    "append_only_statements",
    "clock_sql",
    "db_now",
    "id_type",
    "normalise_url",
]
