"""Usage of the API keys of a user."""

from typing import Any

from hortus import auth, quotas
from hortus.core.db import Tx
from hortus.core.settings import Settings
from hortus.generation.usage.schemas import BudgetOut, DayOut, KeysUsageOut, KeyUsageOut


async def usage_of_keys(tx: Tx, settings: Settings, user_id: str, days: int) -> KeysUsageOut:
    """The last `days` days of every key, today included, in the calendar of quotas; two queries."""
    named = await auth.keys_of(tx, user_id)
    found = await quotas.histories(tx, [key.id for key in named], zone=settings.zone, days=days)
    shown = [_show(key, found[key.id]) for key in named]
    return KeysUsageOut(
        days=days,
        calls=sum(key.calls for key in shown),
        failures=sum(key.failures for key in shown),
        credits=sum(key.credits for key in shown),
        items=shown,
    )


def _show(key: auth.NamedKey, history: quotas.KeyHistory) -> KeyUsageOut:
    days = [
        DayOut(date=day, calls=spent.accepted, failures=spent.failures, credits=spent.credits)
        for day, spent in history.days.items()
    ]
    return KeyUsageOut(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        calls=sum(day.calls for day in days),
        failures=sum(day.failures for day in days),
        credits=sum(day.credits for day in days),
        days=days,
        budgets=[_show_left(left) for left in quotas.budgets_left(key.budgets, history)],
    )


def _show_left(left: quotas.BudgetLeft) -> BudgetOut:
    def shown(amount: int | None) -> Any:
        return str(amount) if left.kind == "credits" and amount is not None else amount

    return BudgetOut(
        kind=left.kind,
        window=left.window,
        limit=shown(left.limit),
        used=shown(left.used),
        remaining=shown(left.remaining),
        resets_at=left.resets_at,
    )
