"""Audit log of administrators' actions: append-only and hash-chained."""

from hortus.admin.audit.service import CONSOLE, Actor, AuditVerification, actor_of, erase_notes, record, verify

__all__ = ["CONSOLE", "Actor", "AuditVerification", "actor_of", "erase_notes", "record", "verify"]
