"""Routes of `/api/user` for consents, data exports and account deletion."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import JSONResponse, Response

from hortus import files
from hortus.accounts import Principal, change_consent
from hortus.auth import Caller, RecentCaller, clear_session_cookies, limited_caller
from hortus.core import clock
from hortus.core.db import Database, Tx
from hortus.core.db.paging import Page
from hortus.core.schemas import Id
from hortus.core.settings import Settings
from hortus.core.web.deps import (
    AllResources,
    IdempotencyHeader,
    PageParams,
    ReadTx,
    WriteTx,
    anonymised_network_of,
    rate_limit,
    resource,
)
from hortus.core.web.openapi import make_router, public
from hortus.privacy import consents, deletion, exports, signed_links
from hortus.privacy.schemas import (
    ConsentOut,
    ConsentRecordOut,
    ConsentsIn,
    ConsentsOut,
    DataExportOut,
    DeletionOut,
)
from hortus.privacy.tables import DataExport
from hortus.storage import Storage

router = make_router("/api/user", "privacy")
CoreSettings = Annotated[Settings, resource(Settings)]


@router.get("/consents")
async def read_consents(caller: Caller, tx: ReadTx) -> ConsentsOut:
    """The current consents of the user, with the version of each text."""
    return await _consents(tx, caller.user_id)


@router.put("/consents")
async def change_consents(body: ConsentsIn, request: Request, caller: Caller, tx: WriteTx) -> ConsentsOut:
    """Accept the current terms, or give or withdraw the consent to marketing; each change is recorded."""
    changes = body.model_dump(exclude_none=True)
    for kind in consents.KINDS:
        if kind in changes:
            await change_consent(tx, caller.user_id, kind, given=changes[kind], network=anonymised_network_of(request))
    return await _consents(tx, caller.user_id)


@router.get("/consents/history")
async def list_consents(caller: Caller, tx: ReadTx, paging: PageParams) -> Page[ConsentRecordOut]:
    """All consents that the user has given or withdrawn, newest first."""
    found = await consents.history_of(tx, caller.user_id, paging)
    items = [ConsentRecordOut.model_validate(row, from_attributes=True) for row in found.items]
    return Page(items=items, next_cursor=found.next_cursor)


async def _consents(tx: Tx, user_id: str) -> ConsentsOut:
    found = await consents.consent_statuses(tx, user_id)
    shown: dict[str, Any] = {}
    for kind, status in found.items():
        fields = asdict(status)
        shown[kind] = ConsentOut(current_version=fields.pop("current"), **fields)
    return ConsentsOut(**shown)


@router.post(
    "/data-export",
    status_code=202,
    response_model=DataExportOut,
    dependencies=[limited_caller("data_export", "3/day")],
)
async def request_data_export(
    caller: RecentCaller, settings: CoreSettings, tx: WriteTx, once: IdempotencyHeader
) -> JSONResponse:
    """Build an archive of all data about the user; an e-mail is sent when it is ready."""

    async def make() -> DataExportOut:
        return _shown(await exports.request_export(tx, caller.user_id), settings, caller)

    async def again(kept: dict[str, Any]) -> DataExportOut:
        return _shown(await exports.find(tx, caller.user_id, kept["id"]), settings, caller)

    return await once.answer(tx, caller.user_id, "", make, again=again, status=202)


@router.get("/data-export")
async def read_data_export(caller: Caller, settings: CoreSettings, tx: ReadTx) -> DataExportOut:
    """The newest archive and, once it is ready, a new link to it."""
    return _shown(await exports.newest_of(tx, caller.user_id), settings, caller)


def _shown(row: DataExport, settings: Settings, caller: Principal) -> DataExportOut:
    over = row.status == "ready" and row.expires_at <= clock.now()
    ready = row.status == "ready" and not over
    return DataExportOut(
        id=row.id,
        status="expired" if over else row.status,
        created_at=row.created_at,
        ready_at=row.ready_at,
        expires_at=row.expires_at,
        bytes=row.bytes,
        sha256=row.sha256,
        url=signed_links.link(settings, row.id, caller.session_id) if ready else None,
    )


@router.get(
    "/data-export/{export_id}/archive",
    dependencies=[rate_limit("data_export_download", "30/minute")],
    openapi_extra=public("the signed link authorises the download"),
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}, "description": "The archive"}},
)
async def download_data_export(
    export_id: Id,
    request: Request,
    resources: AllResources,
    exp: Annotated[str, Query(max_length=20)] = "",
    session: Annotated[str, Query(max_length=36)] = "",
    sig: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The ZIP archive by its signed link, whole or in ranges, while the session that received the link is valid."""
    signed_links.check_link(resources[Settings], export_id, exp, session, sig)
    async with resources[Database].snapshot() as tx:
        row = await exports.find_ready(tx, export_id, session)
    blob = files.File(
        filename=f"my-data-{row.created_at:%Y-%m-%d}.zip",
        mime_type=exports.MIME_TYPE,
        bytes=row.bytes,
        sha256=row.sha256,
        storage_key=exports.key_of(row.id),
    )
    return files.serve(request, resources[Storage], blob, download=True, cache=files.NEVER_KEPT)


@router.delete("/me", status_code=202, dependencies=[limited_caller("delete_account", "5/hour")])
async def delete_me(request: Request, caller: RecentCaller, resources: AllResources, tx: WriteTx) -> DeletionOut:
    """Close the account at once and erase it after the grace period. Signing in before then cancels the deletion."""
    deletion_request = await deletion.delete_account(tx, resources, caller.user_id)
    tx.after_commit(lambda: clear_session_cookies(request))
    return DeletionOut(deleted_at=deletion_request.requested_at, erase_at=deletion_request.erase_at)
