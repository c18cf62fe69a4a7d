"""Usage summary of a user: plan, quota windows and credits."""

from typing import Any

from hortus import ledger, quotas
from hortus.core.clock import iso
from hortus.core.db.compiled_select import Executor
from hortus.core.settings import Settings


async def usage_of(executor: Executor, user_id: str, *, settings: Settings) -> dict[str, Any]:
    """Plan, every quota window, and credits in micro-credits as text; ready for JSON."""
    used = await quotas.usage(executor, user_id, zone=settings.zone)
    credit = await ledger.balance(executor, user_id)
    return {
        "plan": used.plan,
        "windows": [
            {
                "kind": each.kind,
                "window": each.window,
                "limit": each.limit,
                "used": each.used,
                "remaining": each.remaining,
                "resets_at": iso(each.resets_at),
            }
            for each in used.windows
        ],
        "credits": {
            "balance": str(credit.balance),
            "held": str(credit.held),
            "available": str(credit.available),
        },
    }
