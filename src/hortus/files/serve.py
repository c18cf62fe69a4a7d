"""Send a stored file over HTTP: safe headers, ranges, validation by ETag."""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hortus.files.errors import FileNotFound
from hortus.files.tables import File
from hortus.storage import BlobNotFound, Storage

SHOWN_INLINE = {"image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4", "video/webm"}


MEDIA = "private, max-age=60"
"""A page that shows an image twice loads it once; a minute after the owner signed out the browser asks again."""
NEVER_KEPT = "private, no-store"


class BlobResponse(Response):
    """Streams a blob until it ends or the client disconnects.

    The status is sent with the first piece, so a missing blob is still a 404.
    """

    def __init__(self, pieces: AsyncIterator[bytes], status: int, headers: dict[str, str], media_type: str) -> None:
        super().__init__(None, status, headers, media_type)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response over ASGI."""
        try:
            piece = await anext(self._pieces, b"")
        except BlobNotFound as error:
            raise FileNotFound from error
        async with aclosing(self._pieces) as rest:  # type: ignore[type-var] # every store's `open` is a generator
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            caller = Request(scope, receive)
            async for piece in rest:
                if await caller.is_disconnected():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def serve(request: Request, storage: Storage, row: File, *, download: bool, cache: str = MEDIA) -> Response:
    """The bytes of a file, whole or in the requested range, or 304 when the client has them.

    `cache` is the Cache-Control header. Browsers show images and videos inline, sandboxed; other types are downloads.
    """
    known = row.mime_type in SHOWN_INLINE
    tag = f'"{row.sha256}"'
    headers = {
        "Content-Disposition": _disposition(row.filename, inline=known and not download),
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": cache,
        "Accept-Ranges": "bytes",
        "ETag": tag,
    }
    headers_in = request.headers
    if _names(headers_in.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    start, end, status = 0, row.bytes, 200
    if "range" in headers_in and headers_in.get("if-range", tag) == tag:
        wanted = _range(headers_in["range"], row.bytes)
        if wanted is not None:
            start, end = wanted
            if start >= end:
                return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{row.bytes}"})
            status = 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{row.bytes}"
    headers["Content-Length"] = str(end - start)
    mime_type = row.mime_type if known else "application/octet-stream"
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=mime_type)
    return BlobResponse(storage.open(row.storage_key, start, end), status, headers, mime_type)


def _disposition(filename: str, *, inline: bool) -> str:
    plain = re.sub(r'[^ -~]|["\\%]', "_", filename)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _names(header: str, tag: str) -> bool:
    return any(part.strip().removeprefix("W/") in (tag, "*") for part in header.split(","))


def _range(header: str, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of a single range, empty when the file has no such byte.

    None for a header that is not a single range of bytes; the whole file is sent then.
    """
    found = re.fullmatch(r"bytes=(\d{0,15})-(\d{0,15})", header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size
    start = int(first)
    if last and int(last) < start:
        return None
    return start, min(int(last) + 1, size) if last else size
