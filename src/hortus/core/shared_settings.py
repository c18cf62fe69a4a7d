"""Settings that must be equal in every process of an installation.

Each process stores its own beside its heartbeat, so that those of others can be compared. A secret is compared by a
keyed digest and never stored.
"""

import hashlib
from collections.abc import Mapping

from hortus.core.settings import Settings

EQUAL = ("FRONTEND_BASE_URL", "REDIS_PREFIX", "QUOTA_TIMEZONE", "BASIC_DAILY_LIMIT", "PRO_DAILY_LIMIT", "LEASE_SECONDS")


def shared(settings: Settings) -> dict[str, str]:
    """By the name of the variable, what this process uses; nothing of it is secret."""
    given = {name: str(getattr(settings, name.lower())) for name in EQUAL}
    catalog = settings.catalog_path
    return given | {
        "PUBLIC_URL": settings.origin,
        "SECRET_KEY": settings.keys_for("comparison of settings")[0].hex()[:16],
        "REDIS_URL": "set" if settings.redis_url else "not set",
        "CATALOG_PATH": hashlib.sha256(catalog.read_bytes()).hexdigest()[:16] if catalog is not None else "",
    }


def differences(settings: Settings, theirs: Mapping[str, str], who: str) -> list[str]:
    """One sentence for each setting in which the process `who` differs from this one."""
    found = []
    for name, mine in shared(settings).items():
        other = theirs.get(name, mine)  # a process of an older version says nothing of newer settings
        if other == mine:
            continue
        if name in ("SECRET_KEY", "CATALOG_PATH"):
            found.append(f"{name} is another one here than in {who}; give every process the same.")
        elif name == "PUBLIC_URL" and not settings.public_url:
            found.append(
                f"PUBLIC_URL is not set here, so links and webhooks of this process lead to {mine}, but those of {who} "
                f"to {other}; set PUBLIC_URL to the same address in every process."
            )
        else:
            found.append(f"{name} is {mine!r} here and {other!r} in {who}; give every process the same.")
    return found
