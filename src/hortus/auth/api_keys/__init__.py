"""API keys: how programs call in a user's name, and what each of them may do."""

from hortus.auth.api_keys.errors import ModelNotAllowed
from hortus.auth.api_keys.last_used import KeyUseRecorder
from hortus.auth.api_keys.secret import MARK, digests_of
from hortus.auth.api_keys.service import (
    NamedKey,
    check,
    keys_of,
    keys_since,
    principal_by_key,
    require_scope,
    revoke_all,
    version_keys_of,
)

__all__ = [
    "MARK",
    "KeyUseRecorder",
    "ModelNotAllowed",
    "NamedKey",
    "check",
    "digests_of",
    "keys_of",
    "keys_since",
    "principal_by_key",
    "require_scope",
    "revoke_all",
    "version_keys_of",
]
