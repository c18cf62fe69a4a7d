"""In-process caches whose entries are valid while the shared versions of what they depend on are unchanged."""

from hortus.core.cache.versions import (
    LEASE_SECONDS,
    Look,
    OwnStamps,
    Remembered,
    SharedStamps,
    Stamps,
    carry,
    changed,
)

__all__ = ["LEASE_SECONDS", "Look", "OwnStamps", "Remembered", "SharedStamps", "Stamps", "carry", "changed"]
