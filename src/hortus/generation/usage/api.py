"""Routes of usage: quota windows, credits, charts and API keys."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Query

from hortus import ledger
from hortus.auth import Caller
from hortus.core.clock import iso
from hortus.core.db.paging import Page
from hortus.core.settings import Settings
from hortus.core.web.deps import PageParams, ReadTx, ReplicaTx, resource
from hortus.core.web.openapi import make_router, open_to_keys
from hortus.generation.usage import charts, keys, service
from hortus.generation.usage.schemas import DashboardOut, KeysUsageOut

router = make_router("/api")
SettingsOf = Annotated[Settings, resource(Settings)]


@router.get("/user/usage", tags=["user"], openapi_extra=open_to_keys("usage:read"))
async def usage(caller: Caller, tx: ReadTx, settings: SettingsOf) -> dict[str, Any]:
    """Every quota window with limit, used, remaining and reset time, and the credits."""
    return await service.usage_of(tx, caller.user_id, settings=settings)


@router.get("/user/dashboard", tags=["user"], openapi_extra=open_to_keys("usage:read"))
async def dashboard(
    caller: Caller, tx: ReadTx, settings: SettingsOf, days: Annotated[int, Query(ge=1, le=90)] = 30
) -> DashboardOut:
    """Series for charts: generations and credits by day and kind, success rates, and insights."""
    return await charts.dashboard_of(tx, settings, caller.user_id, days)


@router.get("/user/credits", tags=["user"], openapi_extra=open_to_keys("usage:read"))
async def credit_history(caller: Caller, tx: ReplicaTx, paging: PageParams) -> Page[dict[str, Any]]:
    """Every movement of your credits, newest first, in micro-credits."""
    lines, cursor = await ledger.entries(tx, caller.user_id, paging)
    shown = [{**asdict(line), "amount": str(line.amount), "created_at": iso(line.created_at)} for line in lines]
    return Page(items=shown, next_cursor=cursor)


@router.get("/keys/usage", tags=["keys"])
async def key_usage(
    caller: Caller, tx: ReadTx, settings: SettingsOf, days: Annotated[int, Query(ge=1, le=90)] = 30
) -> KeysUsageOut:
    """Usage of each API key by day, and what is left of its budgets."""
    return await keys.usage_of_keys(tx, settings, caller.user_id, days)
