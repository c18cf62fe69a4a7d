"""Outputs of providers: verified by decoding, then stored unchanged."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hortus.core import ids
from hortus.core.errors import Problem
from hortus.core.settings import Settings
from hortus.files.errors import NotMedia
from hortus.files.image import measure_image
from hortus.files.names import safe_filename
from hortus.files.service import NewFile, digest_of
from hortus.files.video import Video, measure_video
from hortus.storage import Storage

MAX_BYTES = {"image": 64 * 1024 * 1024, "video": 512 * 1024 * 1024}


@dataclass(frozen=True, slots=True)
class Verified:
    """An image or video that decodes: its type, size in bytes and pixels, and digest."""

    mime_type: str
    bytes: int
    width: int
    height: int
    duration_ms: int | None
    sha256: str


async def verify_media(content: bytes | Path, expected: str, settings: Settings) -> Verified:
    """Decode and measure an `image` or `video`. Raises NotMedia for any other content."""
    size = await asyncio.to_thread(_size, content)
    if not 0 < size <= MAX_BYTES[expected]:
        raise NotMedia(f"{size} bytes")
    duration: int | None = None
    if expected == "image":
        try:
            mime_type, width, height = await measure_image(content, settings.max_image_pixels)
        except Problem as error:
            raise NotMedia(error.code) from error
    else:
        video = await _video(content)
        mime_type, width, height, duration = video.mime_type, video.width, video.height, video.duration_ms
    return Verified(mime_type, size, width, height, duration, await asyncio.to_thread(digest_of, content))


async def prepare_output(
    storage: Storage,
    settings: Settings,
    *,
    user_id: str,
    content: bytes | Path,
    expected: str,
    generation_id: str,
    filename: str,
) -> NewFile:
    """Verify a provider's image or video and write its blob. Raises NotMedia. Call it outside transactions.

    The caller inserts the row with `insert_file`; a blob that never gets a row is removed later.
    """
    verified = await verify_media(content, expected, settings)
    file_id = ids.new()
    new = NewFile(
        id=file_id,
        user_id=user_id,
        purpose="output",
        generation_id=generation_id,
        filename=safe_filename(f"{filename}.x", verified.mime_type),
        mime_type=verified.mime_type,
        bytes=verified.bytes,
        width=verified.width,
        height=verified.height,
        duration_ms=verified.duration_ms,
        sha256=verified.sha256,
        storage_key=f"outputs/{file_id}",
    )
    await storage.put(new.storage_key, content, new.mime_type)
    return new


async def _video(content: bytes | Path) -> Video:
    if isinstance(content, Path):
        return await measure_video(content)
    with tempfile.TemporaryDirectory(prefix="hortus-") as folder:
        path = Path(folder) / "video"
        await asyncio.to_thread(path.write_bytes, content)
        return await measure_video(path)


def _size(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size
