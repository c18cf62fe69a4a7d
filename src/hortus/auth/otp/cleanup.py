"""Deletion of expired codes, links and counts."""

from hortus.auth.otp import attempts, links, send_limits, service
from hortus.core.db import Tx


async def sweep_otps(tx: Tx, limit: int = 1000) -> int:
    """Delete up to `limit` each of expired codes, links and counts; how many in all."""
    return sum(
        [
            await each(tx, limit)
            for each in (
                service.sweep_codes,
                links.sweep_links,
                send_limits.sweep_send_counts,
                attempts.sweep_wrong_codes,
            )
        ]
    )
