"""In-process caches whose entries are valid while the shared versions of what they depend on are unchanged."""

from hortus.core.cache.versions import (
    LEASE_SECONDS,
    CacheLookup,
    CacheVersions,
    LocalCacheVersions,
    RedisCacheVersions,
    VersionedCache,
    open_cache_versions,
)

__all__ = [
    "LEASE_SECONDS",
    "CacheLookup",
    "CacheVersions",
    "LocalCacheVersions",
    "RedisCacheVersions",
    "VersionedCache",
    "open_cache_versions",
]
