"""Every table says whose it is and what becomes of it. A new table without a rule fails here.

The place to add one is `src/hortus/privacy/data_map.py`; its first lines say how.
"""

import re

import pytest
from sqlalchemy import Table

from hortus.main.tables import metadata
from hortus.privacy import DATA_MAP, UNOWNED_TABLES, Anonymise, Retain

TABLES = sorted(metadata.tables.values(), key=lambda table: table.name)
OWNER = re.compile(r"(^|_)(user_id|(owner|account|customer|actor|subject|email|mobile)(_id)?)$|^asked_by$|^target$")
SECRET = re.compile(r"digest|hash|sealed|secret|token|fingerprint|public_key|credential|sign_count|storage_key")
HARMLESS = {"sha256"}
OWNERLESS = {"account_deletions", "sandbox_events", "webhook_events", "wrong_codes"}
"""Tables of `OTHERS` with a column that looks like an owner and is none: vendors' subjects, keyed digests."""


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_has_a_rule_or_a_reason(table: Table):
    assert (table.name in DATA_MAP) != (table.name in UNOWNED_TABLES), (
        f"say in src/hortus/privacy/data_map.py whose the rows of {table.name} are and what becomes of them"
    )


@pytest.mark.parametrize("table", [t for t in TABLES if t.name in UNOWNED_TABLES], ids=lambda table: table.name)
def test_what_belongs_to_nobody_has_no_owner(table: Table):
    owners = [column.name for column in table.c if OWNER.search(column.name)]
    owned = [key.target_fullname for key in table.foreign_keys if key.column.table.name in DATA_MAP]
    assert owned == []
    assert owners == [] or table.name in OWNERLESS


def test_no_rule_is_about_a_table_that_is_gone():
    assert {*DATA_MAP, *UNOWNED_TABLES} - set(metadata.tables) == set()
    assert set(metadata.tables) >= OWNERLESS


@pytest.mark.parametrize("name", [name for name, rule in DATA_MAP.items() if rule.excluded is None])
def test_no_secret_is_exported(name: str):
    table, rule = metadata.tables[name], DATA_MAP[name]
    assert rule.hidden <= {column.name for column in table.c}, "a hidden column that is not there"
    shown = {column.name for column in table.c} - rule.hidden - HARMLESS
    assert [column for column in shown if SECRET.search(column)] == []


@pytest.mark.parametrize("name", DATA_MAP)
def test_what_is_blanked_is_there(name: str):
    rule = DATA_MAP[name]
    if isinstance(rule.erase, Anonymise):
        assert set(rule.erase.columns) <= {column.name for column in metadata.tables[name].c}
        assert len(metadata.tables[name].primary_key) == 1


def test_what_refers_to_something_goes_first():
    order = list(DATA_MAP)
    for name in order:
        for key in metadata.tables[name].foreign_keys:
            parent = key.column.table.name
            if parent in DATA_MAP and DATA_MAP[parent].erase == "delete" and parent != name:
                assert order.index(name) < order.index(parent), f"{name} refers to {parent}: put it above"


def test_what_stays_says_why():
    for name, rule in DATA_MAP.items():
        if isinstance(rule.erase, Retain):
            assert len(rule.erase.reason) > 20, name
