"""Routes of `/api/upload` and the signed links."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from hortus.accounts import Caller, limited_caller
from hortus.core import idempotency
from hortus.core.db import Database
from hortus.core.paging import Page
from hortus.core.schemas import Id, Time
from hortus.core.settings import Settings
from hortus.core.web import PROBLEM_RESPONSES, AllResources, OnceOnly, PageOf, ReadTx, WriteTx, replayed, resource
from hortus.files import service, tables
from hortus.files.errors import FileTooLarge
from hortus.files.links import check_link, link
from hortus.files.serve import serve
from hortus.storage import Storage

router = APIRouter(prefix="/api", responses=PROBLEM_RESPONSES)
SettingsOf = Annotated[Settings, resource(Settings)]


class FileOut(BaseModel):
    """One file; `url` is signed and short-lived."""

    id: str
    filename: str
    mime_type: str
    bytes: int
    width: int | None
    height: int | None
    duration_s: float | None
    sha256: str
    scan: str
    purpose: str
    url: str
    created_at: Time


def _show(row: tables.File, settings: Settings) -> FileOut:
    return FileOut(
        id=row.id,
        filename=row.filename,
        mime_type=row.mime_type,
        bytes=row.bytes,
        width=row.width,
        height=row.height,
        duration_s=row.duration_ms / 1000 if row.duration_ms is not None else None,
        sha256=row.sha256,
        scan=row.scan,
        purpose=row.purpose,
        url=link(settings, row.id),
        created_at=row.created_at,
    )


@router.post(
    "/upload/file",
    status_code=201,
    tags=["files"],
    dependencies=[limited_caller("upload", "20/minute")],
    response_model=FileOut,
)
async def upload(
    caller: Caller,
    resources: AllResources,
    once: OnceOnly,
    file: Annotated[UploadFile, File()],
    enhance: Annotated[bool, Form()] = False,
) -> JSONResponse:
    """Upload a picture. It is decoded and encoded anew without metadata; `enhance` also improves it."""
    settings, storage, database = resources.get(Settings), resources.get(Storage), resources.get(Database)
    data = await file.read(settings.max_upload_bytes + 1)
    if len(data) > settings.max_upload_bytes:
        raise FileTooLarge(max_bytes=settings.max_upload_bytes)
    claimed = once.claim(caller.user_id, data, file.filename or "", str(enhance))
    picture = await service.clean_upload(data, settings, enhance=enhance)
    new = await service.store_upload(storage, caller.user_id, picture, file.filename or "file")
    async with database.transaction() as tx:
        kept = await idempotency.claim(tx, claimed) if claimed is not None else None
        if kept is None:
            await service.insert_file(tx, new)
            shown = _show(await service.find(tx, caller.user_id, new.id), settings).model_dump(mode="json")
            if claimed is not None:
                await idempotency.keep(tx, claimed, 201, shown)
            return JSONResponse(shown, 201)
    await storage.delete(new.storage_key)  # a parallel request with the same key was first
    return replayed(kept)


@router.get("/upload/files", tags=["files"])
async def list_files(
    caller: Caller,
    tx: ReadTx,
    paging: PageOf,
    settings: SettingsOf,
    purpose: Annotated[str | None, Query(pattern="^(upload|output)$")] = None,
    mime_type: Annotated[str | None, Query(max_length=60, pattern=r"^[a-z]+(/[a-z0-9.+-]*)?$")] = None,
    q: Annotated[str | None, Query(max_length=80, pattern=r"^[^\x00]*$")] = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> Page[FileOut]:
    """Your files, newest first. `q` searches in names."""
    page = await service.find_all(
        tx,
        caller.user_id,
        paging,
        purpose=purpose,
        mime_type=mime_type,
        name_contains=q,
        created_after=created_after,
        created_before=created_before,
    )
    return Page(items=[_show(row, settings) for row in page.items], next_cursor=page.next_cursor)


@router.get("/upload/file/{file_id}", tags=["files"])
async def read_file(file_id: Id, caller: Caller, tx: WriteTx, settings: SettingsOf) -> FileOut:
    """One file of yours; looking is counted."""
    row = await service.find(tx, caller.user_id, file_id)
    await service.note_access(tx, file_id)
    return _show(row, settings)


@router.delete("/upload/file/{file_id}", status_code=204, tags=["files"])
async def delete_file(file_id: Id, caller: Caller, tx: WriteTx) -> None:
    """Delete a file: nobody can fetch it from now on; its bytes go after the retention time."""
    await service.find(tx, caller.user_id, file_id)
    await service.delete(tx, caller.user_id, [file_id])


@router.api_route(
    "/files/{file_id}",
    methods=["GET", "HEAD"],
    tags=["files"],
    response_class=Response,
    openapi_extra={"x-public": "the signature of the link is the right"},
    operation_id="fetch_file",
    include_in_schema=False,
)
async def fetch_file(
    file_id: Id,
    request: Request,
    resources: AllResources,
    exp: Annotated[int, Query(ge=0, le=2**40)],
    sig: Annotated[str, Query(max_length=64)],
    download: bool = False,
) -> Response:
    """The bytes behind a signed link, whole or in a range."""
    check_link(resources.get(Settings), file_id, exp, sig, download=download)
    async with resources.get(Database).snapshot() as tx:
        row = await service.find_any(tx, file_id)
    return serve(request, resources.get(Storage), row, download=download)
