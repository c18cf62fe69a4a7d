"""API keys: how programs call in a user's name, and what each of them may do."""

from hortus.accounts.keys.errors import ModelNotAllowed
from hortus.accounts.keys.secret import digests_of, is_key
from hortus.accounts.keys.service import (
    NamedKey,
    check,
    demand,
    keys_of,
    keys_since,
    principal_by_key,
    revoke_all,
    stamps_of,
)
from hortus.accounts.keys.uses import KeyUses

__all__ = [
    "KeyUses",
    "ModelNotAllowed",
    "NamedKey",
    "check",
    "demand",
    "digests_of",
    "is_key",
    "keys_of",
    "keys_since",
    "principal_by_key",
    "revoke_all",
    "stamps_of",
]
