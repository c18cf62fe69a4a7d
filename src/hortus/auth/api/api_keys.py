"""Routes of `/api/keys`. None of them accepts an API key: a key cannot create or change keys."""

from datetime import timedelta
from typing import Annotated

from hortus.auth.api_keys import service
from hortus.auth.api_keys.schemas import BudgetsOut, KeyChange, KeyIn, KeyOut, NewKeyOut, RotateIn
from hortus.auth.deps import Caller, RecentCaller, limited_caller
from hortus.auth.tables import ApiKey
from hortus.core import clock
from hortus.core.db.paging import Page
from hortus.core.schemas import Id
from hortus.core.settings import Settings
from hortus.core.web.deps import IdempotencyHeader, PageParams, ReadTx, WriteTx, resource
from hortus.core.web.openapi import make_router

router = make_router("/api/keys", "keys")
SettingsOf = Annotated[Settings, resource(Settings)]
ALREADY_SHOWN = "The secret was shown once. If its answer was lost, rotate the key at POST /api/keys/{key_id}/rotate."


def _show(row: ApiKey) -> KeyOut:
    budgets = BudgetsOut.model_validate(row, from_attributes=True)
    return KeyOut(
        **{name: getattr(row, name) for name in KeyOut.model_fields if name != "budgets"},
        budgets=budgets,
    )


@router.post("", status_code=201, dependencies=[limited_caller("keys", "30/minute")])
async def create_key(
    body: KeyIn, caller: RecentCaller, tx: WriteTx, settings: SettingsOf, once: IdempotencyHeader
) -> NewKeyOut:
    """A new key. Its `secret` is shown in this answer and nowhere else, to a repetition neither."""
    await once.first_only(tx, caller.user_id, body, ALREADY_SHOWN)
    key, secret = await service.create(tx, settings, caller.user_id, body.row())
    return NewKeyOut(**_show(key).model_dump(), secret=secret)


@router.get("")
async def list_keys(caller: Caller, tx: ReadTx, paging: PageParams) -> Page[KeyOut]:
    """Your keys, newest first."""
    page = await service.list_keys(tx, caller.user_id, paging)
    return Page(items=[_show(row) for row in page.items], next_cursor=page.next_cursor)


@router.patch("/{key_id}")
async def change_key(key_id: Id, body: KeyChange, caller: Caller, tx: WriteTx) -> KeyOut:
    """Rename a key, change what it may do, or switch it off and on; absent fields stay."""
    key = await service.change(tx, caller.user_id, key_id, body.row())
    return _show(key)


@router.delete("/{key_id}", status_code=204)
async def remove_key(key_id: Id, caller: Caller, tx: WriteTx) -> None:
    """Revoke a key; its next request is refused."""
    await service.revoke(tx, caller.user_id, key_id)


@router.post("/{key_id}/rotate", dependencies=[limited_caller("key_rotate", "30/hour")])
async def rotate_key(
    key_id: Id,
    caller: RecentCaller,
    tx: WriteTx,
    settings: SettingsOf,
    once: IdempotencyHeader,
    body: RotateIn | None = None,
) -> NewKeyOut:
    """Create a new secret for a key, shown once. The old secret stays valid for `overlap_hours`."""
    asked = body or RotateIn()
    await once.first_only(tx, caller.user_id, asked, ALREADY_SHOWN)
    overlap = timedelta(hours=asked.overlap_hours)
    key, secret = await service.rotate(tx, settings, caller.user_id, key_id, overlap)
    return NewKeyOut(**_show(key).model_dump(), secret=secret, old_secret_until=clock.now() + overlap)
