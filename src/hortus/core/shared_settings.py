"""Settings that must be equal in every process of an installation.

Each process stores them with its heartbeat, so that others can compare them. Secrets are compared by a keyed digest
and never stored.
"""

import hashlib
from collections.abc import Mapping

from hortus.core.settings import Settings

EQUAL = ("FRONTEND_BASE_URL", "REDIS_PREFIX", "QUOTA_TIMEZONE", "BASIC_DAILY_LIMIT", "PRO_DAILY_LIMIT", "LEASE_SECONDS")


def shared_values(settings: Settings) -> dict[str, str]:
    """The values of this process by the name of the variable; none is secret."""
    given = {name: str(getattr(settings, name.lower())) for name in EQUAL}
    catalog = settings.catalog_path
    return given | {
        "PUBLIC_URL": settings.origin,
        "SECRET_KEY": settings.keys_for("comparison of settings")[0].hex()[:16],
        "REDIS_URL": "set" if settings.redis_url else "not set",
        "CATALOG_PATH": hashlib.sha256(catalog.read_bytes()).hexdigest()[:16] if catalog is not None else "",
    }


def differences(settings: Settings, theirs: Mapping[str, str], other: str) -> list[str]:
    """One sentence for each setting in which the process `other` differs from this one."""
    found = []
    for name, mine in shared_values(settings).items():
        value = theirs.get(name, mine)  # a process of an older version has no newer settings
        if value == mine:
            continue
        if name in ("SECRET_KEY", "CATALOG_PATH"):
            found.append(f"{name} differs between this process and {other}; give every process the same.")
        elif name == "PUBLIC_URL" and not settings.public_url:
            found.append(
                f"PUBLIC_URL is not set here, so its links and webhooks lead to {mine}, but those of {other} to "
                f"{value}; set PUBLIC_URL to the same address in every process."
            )
        else:
            found.append(f"{name} is {mine!r} here and {value!r} in {other}; give every process the same.")
    return found
