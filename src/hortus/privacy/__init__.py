"""Privacy: consents, data exports, account deletion, erasure and retention."""

from hortus.privacy.consents import record_consent
from hortus.privacy.data_map import DATA_MAP, UNOWNED_TABLES, Anonymise, Retain, TableRule, unmapped_tables
from hortus.privacy.deletion import cancel_deletion
from hortus.privacy.settings import PrivacySettings

__all__ = [
    "DATA_MAP",
    "UNOWNED_TABLES",
    "Anonymise",
    "PrivacySettings",
    "Retain",
    "TableRule",
    "cancel_deletion",
    "record_consent",
    "unmapped_tables",
]
