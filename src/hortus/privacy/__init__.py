"""What belongs to the people themselves: their consent, a copy of their data, and their right to be forgotten."""

from hortus.privacy.consents import record_consent
from hortus.privacy.deletion import note_reopened
from hortus.privacy.rules import OTHERS, RULES, Blank, Kept, Rule, unmapped
from hortus.privacy.settings import PrivacySettings

__all__ = ["OTHERS", "RULES", "Blank", "Kept", "PrivacySettings", "Rule", "note_reopened", "record_consent", "unmapped"]
