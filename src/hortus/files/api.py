"""Routes of `/api/upload` and the signed links."""

import asyncio
from dataclasses import replace
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile

from hortus.accounts import Principal
from hortus.auth import Caller, limited_caller
from hortus.core import idempotency
from hortus.core.db import Database
from hortus.core.db.paging import Page
from hortus.core.errors import Invalid, Problem, ServiceUnavailable, UnsupportedMediaType
from hortus.core.resources import Resources
from hortus.core.schemas import FilterTimeIn, Id, Time
from hortus.core.settings import Settings
from hortus.core.web.deps import (
    AllResources,
    IdempotencyHeader,
    IdempotencyKey,
    PageParams,
    ReadTx,
    WriteTx,
    replayable_response,
    resource,
)
from hortus.core.web.openapi import make_router, open_to_keys
from hortus.files import service, tables
from hortus.files.errors import FileTooLarge
from hortus.files.links import check_link, link
from hortus.files.serve import serve
from hortus.storage import Storage

router = make_router("/api")
SettingsOf = Annotated[Settings, resource(Settings)]
PUBLIC = {"x-public": "the signature of the link is the authorisation"}


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


FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "contentMediaType": "application/octet-stream", "title": "File"},
        "enhance": {"type": "boolean", "default": False, "title": "Enhance"},
    },
}


@router.post(
    "/upload/file",
    status_code=201,
    tags=["files"],
    dependencies=[limited_caller("upload", "20/minute")],
    response_model=FileOut,
    openapi_extra=open_to_keys("files")
    | {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM}}}},
)
async def upload(request: Request, caller: Caller, resources: AllResources, once: IdempotencyHeader) -> JSONResponse:
    """Upload an image. It is decoded and encoded again without metadata.

    `enhance` evens out the levels and sharpens a little; the size stays (ENHANCE_MAX_SIDE caps it).
    """
    # The form is read here, not by a parameter: the caller is authenticated before the body is read.
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise UnsupportedMediaType
    async with request.form(max_files=1, max_fields=4) as form:
        return await _upload(form, caller, resources, once)


def _enhance_in(form: FormData) -> bool:
    given = str(form.get("enhance", "false")).lower()
    if given not in ("true", "1", "false", "0", ""):
        raise Invalid(errors=[{"field": "enhance", "detail": "must be true or false"}])
    return given in ("true", "1")


async def _upload(form: FormData, caller: Principal, resources: Resources, once: IdempotencyKey) -> JSONResponse:
    file, enhance = form.get("file"), _enhance_in(form)
    if not isinstance(file, UploadFile):
        raise Invalid(errors=[{"field": "file", "detail": "send the image as the form's part `file`"}])
    settings, storage = resources[Settings], resources[Storage]
    data = await file.read(settings.max_upload_bytes + 1)
    if len(data) > settings.max_upload_bytes:
        raise FileTooLarge(max_bytes=settings.max_upload_bytes)
    claimed = await asyncio.to_thread(once.claim, caller.user_id, data, file.filename or "", str(enhance))
    image = await service.clean_upload(data, settings, enhance=enhance)
    new = await service.store_upload(storage, caller.user_id, image, file.filename or "file")
    try:
        answer = await _keep(resources, claimed, new)
    except ServiceUnavailable:
        raise  # the row may have been committed; if not, the blob is removed later
    except Problem:
        await storage.delete(new.storage_key)  # the key belongs to another request, so this file has no row
        raise
    if answer.replayed:
        await storage.delete(new.storage_key)
    return replayable_response(answer)


async def _keep(
    resources: Resources, claimed: idempotency.Claim | None, new: service.NewFile
) -> idempotency.IdempotentResponse:
    async with resources[Database].transaction() as tx:
        earlier = await idempotency.claim(tx, claimed) if claimed is not None else None
        if earlier is not None:  # only the id was stored; the link is signed again
            kept = await service.find(tx, new.user_id, earlier.body["id"])
            return replace(earlier, body=_show(kept, resources[Settings]).model_dump(mode="json"))
        await service.insert_file(tx, new)
        row = await service.find(tx, new.user_id, new.id)
        answer = idempotency.IdempotentResponse(201, _show(row, resources[Settings]).model_dump(mode="json"))
        if claimed is not None:
            await idempotency.store(tx, claimed, answer.status, {"id": row.id})
    return answer


@router.get("/upload/files", tags=["files"], openapi_extra=open_to_keys("files"))
async def list_files(
    caller: Caller,
    tx: ReadTx,
    paging: PageParams,
    settings: SettingsOf,
    purpose: Annotated[str | None, Query(max_length=6, pattern="^(upload|output)$")] = None,
    mime_type: Annotated[str | None, Query(max_length=60, pattern=r"^[a-z]+(/[a-z0-9.+-]*)?$")] = None,
    q: Annotated[str | None, Query(max_length=80, pattern=r"^[^\x00]*$")] = None,
    created_after: FilterTimeIn | None = None,
    created_before: FilterTimeIn | None = None,
) -> Page[FileOut]:
    """Your files, newest first. `q` searches in names."""
    page = await service.find_all(
        tx,
        caller.user_id,
        paging,
        purpose=purpose,
        mime_type=mime_type,
        words=q,
        created_after=created_after,
        created_before=created_before,
    )
    return Page(items=[_show(row, settings) for row in page.items], next_cursor=page.next_cursor)


@router.get("/upload/file/{file_id}", tags=["files"], openapi_extra=open_to_keys("files"))
async def read_file(file_id: Id, caller: Caller, tx: WriteTx, settings: SettingsOf) -> FileOut:
    """One file of yours; looking is counted."""
    row = await service.find(tx, caller.user_id, file_id)
    await service.note_access(tx, file_id)
    return _show(row, settings)


@router.delete("/upload/file/{file_id}", status_code=204, tags=["files"], openapi_extra=open_to_keys("files"))
async def delete_file(file_id: Id, caller: Caller, tx: WriteTx) -> None:
    """Delete a file. It cannot be fetched any more; its bytes are removed after the retention time."""
    await service.find(tx, caller.user_id, file_id)
    await service.delete(tx, caller.user_id, [file_id])


@router.head("/files/{file_id}", include_in_schema=False, openapi_extra=PUBLIC)
@router.get(
    "/files/{file_id}",
    tags=["files"],
    response_class=Response,
    openapi_extra=PUBLIC,
    responses={
        200: {"description": "The file", "content": {"image/*": {}, "video/*": {}}},
        206: {"description": "The requested range"},
        304: {"description": "The caller has it already"},
    },
)
async def fetch_file(
    file_id: Id,
    request: Request,
    resources: AllResources,
    exp: Annotated[str, Query(max_length=20)] = "",
    sig: Annotated[str, Query(max_length=64)] = "",
    download: bool = False,
    staff: bool = False,
) -> Response:
    """The bytes behind a signed link, whole or in a range."""
    check_link(resources[Settings], file_id, exp, sig, download=download, staff=staff)
    async with resources[Database].snapshot() as tx:
        row = await service.find_any(tx, file_id, staff=staff)
    return serve(request, resources[Storage], row, download=download)
