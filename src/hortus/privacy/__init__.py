"""Privacy: consents, data exports, account deletion, erasure and retention."""

from hortus.privacy.consents import record_consent
from hortus.privacy.data_map import DATA_MAP, UNOWNED_TABLES, Anonymise, Retain, Rule, unmapped_tables
from hortus.privacy.deletion import cancel_deletion
from hortus.privacy.settings import PrivacySettings

__all__ = [
    "DATA_MAP",
    "UNOWNED_TABLES",
    "Anonymise",
    "PrivacySettings",
    "Retain",
    "Rule",
    "cancel_deletion",
    "record_consent",
    "unmapped_tables",
]
