"""The promises of storage, kept by the folder."""

import asyncio
import stat
from pathlib import Path

import pytest

from hortus.core import ids
from hortus.storage import BlobNotFound, LocalStorage, Storage
from hortus.storage.local import PIECE

ID = "01a1fc2a-e0a8-71f0-b848-88c1b8886169"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def storage(folder: Path) -> LocalStorage:
    return LocalStorage(folder)


def key() -> str:
    return f"uploads/{ids.new()}"


async def pieces(storage: Storage, name: str, *between: int) -> list[bytes]:
    return [piece async for piece in storage.open(name, *between)]


def test_it_keeps_the_seam(storage: LocalStorage):
    assert isinstance(storage, Storage)


async def test_what_was_put_is_read_in_whole_and_in_part(storage: LocalStorage):
    name, content = key(), bytes(range(256)) * 3000
    await storage.put(name, content, "image/png")
    assert await storage.read(name) == content
    assert await storage.size(name) == len(content)
    assert b"".join(await pieces(storage, name)) == content
    assert b"".join(await pieces(storage, name, 10, PIECE + 10)) == content[10 : PIECE + 10]
    assert max(len(piece) for piece in await pieces(storage, name)) <= PIECE
    assert await pieces(storage, name, 5, 5) == []


async def test_a_file_is_stored_as_it_is(storage: LocalStorage, tmp_path: Path):
    video = tmp_path / "video"
    video.write_bytes(b"0123456789" * 2_000_000)
    name = key()
    await storage.put(name, video, "video/mp4")
    assert await storage.size(name) == 20_000_000
    assert b"".join(await pieces(storage, name, 19_999_995, 20_000_000)) == b"56789"


async def test_missing_blobs(storage: LocalStorage):
    name = key()
    for ask in (storage.read(name), storage.size(name), pieces(storage, name), pieces(storage, name, 0, 5)):
        with pytest.raises(BlobNotFound):
            await ask
    await storage.delete(name)


async def test_a_deleted_blob_is_gone(storage: LocalStorage):
    name = key()
    await storage.put(name, b"x", "image/png")
    await storage.delete(name)
    with pytest.raises(BlobNotFound):
        await storage.read(name)


async def test_a_listing_tells_size_and_age_of_one_folder(storage: LocalStorage):
    names = {key() for _ in range(7)}
    for name in names:
        await storage.put(name, b"1234", "image/png")
    await storage.put(f"outputs/{ids.new()}", b"x", "image/png")
    found = [blob async for blob in storage.list("uploads")]
    assert {blob.key for blob in found} == names
    assert {blob.bytes for blob in found} == {4}
    assert all(blob.modified_at.tzinfo is not None for blob in found)
    assert [blob async for blob in storage.list("elsewhere")] == []


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "uploads/../../etc/passwd",
        "/etc/passwd",
        "uploads/%2e%2e/x",
        "uploads/",
        "",
        "uploads/x\x00y",
        "uploads/..",
        f"uploads/{ID}/x",
        f"UPLOADS/{ID}",
        f"uploads/{ID}\n",
    ],
)
async def test_no_path_can_be_smuggled_in(storage: LocalStorage, name: str):
    for ask in (storage.put(name, b"x", "image/png"), storage.read(name), storage.size(name), storage.delete(name)):
        with pytest.raises(ValueError, match="not a storage key"):
            await ask
    with pytest.raises(ValueError, match="not a storage key"):
        await pieces(storage, name, 0, 1)


def test_nobody_else_may_enter(folder: Path):
    folder.mkdir(mode=0o755)
    LocalStorage(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_readers_never_see_half_a_write(storage: LocalStorage, tmp_path: Path):
    name = key()
    versions = []
    for mark in b"AB":
        path = tmp_path / chr(mark)
        path.write_bytes(bytes([mark]) * 12_000_000)
        versions.append(path)
    await storage.put(name, versions[0], "video/mp4")
    writing = asyncio.create_task(storage.put(name, versions[1], "video/mp4"))
    seen = set()
    while not writing.done():
        content = await storage.read(name)
        assert len(content) == 12_000_000
        seen.add((content[0], content[-1]))
    await writing
    assert seen <= {(65, 65), (66, 66)}
    assert (await storage.read(name))[-1] == 66


async def test_a_write_that_fails_leaves_nothing(storage: LocalStorage, folder: Path, tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        await storage.put(key(), tmp_path / "missing", "video/mp4")
    assert [blob async for blob in storage.list("uploads")] == []
