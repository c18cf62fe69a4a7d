"""Administration: users, credits, payments, tasks, moderation, coupons and offers, with an audit log.

The role `support` may read; only `admin` sees payments and changes data. Every change by an administrator is
recorded in the audit log, in the same transaction.
"""

from hortus.admin.audit import CONSOLE, Actor, AuditVerification, erase_notes, record, verify
from hortus.admin.doctor.service import Doctor, Finding

__all__ = ["CONSOLE", "Actor", "AuditVerification", "Doctor", "Finding", "erase_notes", "record", "verify"]
