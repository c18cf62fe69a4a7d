"""Send a stored file over HTTP: safe headers, ranges, validation by ETag."""

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hortus.files.tables import File
from hortus.storage import Storage

SHOWN_INLINE = {"image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4", "video/webm"}


def serve(request: Request, storage: Storage, row: File, *, download: bool) -> Response:
    """The bytes of a file, whole, in the range asked for, or 304 when the client has them."""
    inline = row.mime_type in SHOWN_INLINE and not download
    headers = {
        "Content-Disposition": f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{quote(row.filename)}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, max-age=300",
        "Accept-Ranges": "bytes",
        "ETag": f'"{row.sha256}"',
    }
    mime_type = row.mime_type if row.mime_type in SHOWN_INLINE else "application/octet-stream"
    if row.sha256 in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    start, end, status = 0, row.bytes, 200
    if "range" in request.headers:
        wanted = _range(request.headers["range"], row.bytes)
        if wanted is None:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{row.bytes}"})
        start, end = wanted
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{row.bytes}"
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        return Response(status_code=status, headers={**headers, "Content-Type": mime_type})
    body: AsyncIterator[Any] = storage.open(row.storage_key, start, end)
    return StreamingResponse(body, status, headers=headers, media_type=mime_type)


def _range(header: str, size: int) -> tuple[int, int] | None:
    """Start and end (not included) of a single range; None when it cannot be served."""
    found = re.fullmatch(r"bytes=(\d{0,15})-(\d{0,15})", header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        return (size - length, size) if length else None
    start, end = int(first), min(int(last) + 1 if last else size, size)
    return (start, end) if start < end else None
