"""The audit log: who did what to whom, append-only and hash-chained."""

from hortus.admin.audit.service import CONSOLE, Actor, Proof, actor_of, erase_notes, record, verify

__all__ = ["CONSOLE", "Actor", "Proof", "actor_of", "erase_notes", "record", "verify"]
