"""Routes of `/api/keys`. None of them is open to keys: a key cannot make or change keys."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated

from fastapi.responses import JSONResponse

from hortus.accounts.auth import Caller, RecentCaller, limited_caller
from hortus.accounts.keys import service
from hortus.accounts.keys.schemas import BudgetsOut, KeyChange, KeyIn, KeyOut, NewKeyOut, RotateIn
from hortus.accounts.keys.secret import mint_again, seed
from hortus.accounts.keys.tables import ApiKey
from hortus.core import clock, idempotency
from hortus.core.db import Tx
from hortus.core.paging import Page
from hortus.core.schemas import Id
from hortus.core.settings import Settings
from hortus.core.web import OnceOnly, PageOf, ReadTx, WriteTx, answered, make_router, resource

router = make_router("/api/keys", "keys")
SettingsOf = Annotated[Settings, resource(Settings)]


def _show(row: ApiKey) -> KeyOut:
    budgets = BudgetsOut.model_validate(row, from_attributes=True)
    return KeyOut(
        **{name: getattr(row, name) for name in KeyOut.model_fields if name != "budgets"},
        budgets=budgets,
    )


async def _shown_once(
    tx: Tx,
    settings: Settings,
    claim: idempotency.Claim | None,
    status: int,
    make: Callable[[str], Awaitable[NewKeyOut]],
) -> JSONResponse:
    """Show a secret that `make` grows from a seed. A repeat of the request grows it again: only the seed is kept."""
    if claim is not None:
        kept = await idempotency.claim(tx, claim)
        if kept is not None:
            body = kept.body
            body["secret"] = mint_again(settings, body.pop("seed"), body["prefix"])
            return answered(kept)
    grown_from = seed()
    shown = (await make(grown_from)).model_dump(mode="json")
    if claim is not None:
        await idempotency.keep(tx, claim, status, {**shown, "secret": None, "seed": grown_from})
    return JSONResponse(shown, status)


@router.post("", status_code=201, response_model=NewKeyOut, dependencies=[limited_caller("keys", "30/minute")])
async def create_key(
    body: KeyIn, caller: RecentCaller, tx: WriteTx, settings: SettingsOf, once: OnceOnly
) -> JSONResponse:
    """A new key. Its `secret` is shown in this answer and nowhere else."""

    async def make(grown_from: str) -> NewKeyOut:
        key, secret = await service.create(tx, settings, caller.user_id, body.row(), grown_from)
        return NewKeyOut(**_show(key).model_dump(), secret=secret)

    return await _shown_once(tx, settings, once.claim(caller.user_id, body), 201, make)


@router.get("")
async def list_keys(caller: Caller, tx: ReadTx, paging: PageOf) -> Page[KeyOut]:
    """Your keys, newest first."""
    page = await service.find_all(tx, caller.user_id, paging)
    return Page(items=[_show(row) for row in page.items], next_cursor=page.next_cursor)


@router.patch("/{key_id}")
async def change_key(key_id: Id, body: KeyChange, caller: Caller, tx: WriteTx) -> KeyOut:
    """Rename a key, change what it may do, or switch it off and on; absent fields stay."""
    key = await service.change(tx, caller.user_id, key_id, body.row())
    return _show(key)


@router.delete("/{key_id}", status_code=204)
async def remove_key(key_id: Id, caller: Caller, tx: WriteTx) -> None:
    """Remove a key for good: its next call fails."""
    await service.revoke(tx, caller.user_id, key_id)


@router.post("/{key_id}/rotate", response_model=NewKeyOut, dependencies=[limited_caller("key_rotate", "30/hour")])
async def rotate_key(
    key_id: Id,
    caller: RecentCaller,
    tx: WriteTx,
    settings: SettingsOf,
    once: OnceOnly,
    body: RotateIn | None = None,
) -> JSONResponse:
    """A new secret for a key, shown this once. The old one works for `overlap_hours`, so that nothing stops."""
    asked = body or RotateIn()
    overlap = timedelta(hours=asked.overlap_hours)

    async def make(grown_from: str) -> NewKeyOut:
        key, secret = await service.rotate(tx, settings, caller.user_id, key_id, overlap, grown_from)
        return NewKeyOut(**_show(key).model_dump(), secret=secret, old_secret_until=clock.now() + overlap)

    return await _shown_once(tx, settings, once.claim(caller.user_id, asked), 200, make)
