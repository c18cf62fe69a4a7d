"""Routes of `/api/admin/generations`."""

from typing import Annotated, Any

from pydantic import Field

from hortus import generation
from hortus.admin.audit import actor_of, record
from hortus.admin.deps import RecentAdmin
from hortus.admin.schemas import ReasonIn
from hortus.auth import Admin, Staff
from hortus.core.db.paging import Page
from hortus.core.events import Bus
from hortus.core.schemas import Id, MicroCredits, Time
from hortus.core.settings import Settings
from hortus.core.web.deps import PageParams, ReadTx, WriteTx, resource
from hortus.core.web.openapi import make_router

router = make_router("/api/admin/generations", "admin")
SettingsOf = Annotated[Settings, resource(Settings)]


class AdminGenerationOut(generation.GenerationOut):
    """One generation with its owner and moderation state."""

    user_id: str
    retry_of: str | None
    deleted_at: Time | None
    taken_down_at: Time | None


class GenerationCostOut(AdminGenerationOut):
    """One generation with its cost and the outputs withheld by a takedown."""

    cost: MicroCredits | None = Field(description="What the vendor charged, in millionths of `cost_currency`")
    cost_currency: str | None
    withheld: dict[str, Any] | None


def _fields(row: Any, settings: Settings) -> dict[str, Any]:
    extra = {name: getattr(row, name) for name in ("user_id", "retry_of", "deleted_at", "taken_down_at")}
    return generation.generation_out(row, settings, staff=True).model_dump() | extra


def _with_cost(row: Any, settings: Settings) -> GenerationCostOut:
    fields = _fields(row, settings)
    return GenerationCostOut(**fields, cost=row.cost, cost_currency=row.cost_currency, withheld=row.withheld)


@router.get("", operation_id="admin_list_generations")
async def list_generations(
    _caller: Staff,
    tx: ReadTx,
    paging: PageParams,
    settings: SettingsOf,
    user_id: Id | None = None,
    kind: generation.Kind | None = None,
    failed: bool = False,
    taken_down: bool = False,
) -> Page[AdminGenerationOut]:
    """Generations of all users, newest first. Deleted ones have no prompt and text."""
    page = await generation.list_of_all_users(
        tx, paging, user_id=user_id, kind=kind, failed=failed, taken_down=taken_down
    )
    shown = [AdminGenerationOut(**_fields(row, settings)) for row in page.items]
    return Page(items=shown, next_cursor=page.next_cursor)


@router.get("/{generation_id}", operation_id="admin_read_generation")
async def read_generation(generation_id: Id, _caller: Admin, tx: ReadTx, settings: SettingsOf) -> GenerationCostOut:
    """One generation of any user, with its cost and withheld outputs."""
    return _with_cost(await generation.find_of_any_user(tx, generation_id), settings)


@router.post("/{generation_id}/take-down", operation_id="admin_take_down")
async def take_down(
    generation_id: Id,
    body: ReasonIn,
    caller: RecentAdmin,
    tx: WriteTx,
    settings: SettingsOf,
    bus: Annotated[Bus, resource(Bus)],
) -> GenerationCostOut:
    """Block access to a generation; its owner reads `taken_down`. A running one is cancelled without a charge."""
    row = await generation.take_down(tx, bus, generation_id)
    shown = _with_cost(row, settings)
    details = {"user_id": row.user_id, "kind": row.kind}
    target = ("generation", generation_id)
    await record(tx, actor_of(caller), "generation.taken_down", target, details, note=body.reason)
    return shown
