"""Identifiers: UUIDv7 strings, so that newer rows sort after older ones."""

import re

import uuid_utils

_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new() -> str:
    """A fresh id, greater than every id this process made before."""
    return str(uuid_utils.uuid7())


def is_id(value: str) -> bool:
    """Whether `value` has the form of an id; says nothing of whether a row bears it."""
    return _FORM.fullmatch(value) is not None
