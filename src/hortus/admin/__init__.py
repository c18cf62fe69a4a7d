"""Operating an installation: users, credits, work, content and offers, everything in an audit log.

`support` may read what helps a customer; only `admin` sees money and changes anything. Whatever an
administrator does stands in the audit log, written in the same transaction.
"""

from hortus.admin.audit import CONSOLE, Actor, Proof, erase_notes, record, verify
from hortus.admin.doctor.service import Doctor, Finding

__all__ = ["CONSOLE", "Actor", "Doctor", "Finding", "Proof", "erase_notes", "record", "verify"]
