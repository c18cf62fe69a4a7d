"""What is kept, found, hidden and swept, on both databases."""

from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from tests.files import draw

from hortus import files
from hortus.core import clock, ids
from hortus.core.db import Database
from hortus.core.db.paging import PageRequest
from hortus.core.settings import Settings
from hortus.files import service
from hortus.files.image import Image
from hortus.storage import BlobNotFound, LocalStorage


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, file_retention_days=30)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "blobs")


async def kept_file(database: Database, storage: LocalStorage, user_id: str, name: str = "a.png") -> files.NewFile:
    new = await service.store_upload(storage, user_id, Image(b"pixels", "image/png", 1, 1), name)
    async with database.transaction() as tx:
        await files.insert_file(tx, new)
    return new


async def test_an_output_is_verified_stored_and_found_by_its_owner(
    database: Database, storage: LocalStorage, settings: Settings
):
    user_id, content = ids.new(), draw.make_image("PNG", (30, 20))
    new = await files.prepare_output(
        storage,
        settings,
        user_id=user_id,
        content=content,
        expected="image",
        generation_id=ids.new(),
        filename="image-1",
    )
    async with database.transaction() as tx:
        await files.insert_file(tx, new)
    async with database.snapshot() as tx:
        row = await files.find(tx, user_id, new.id)
        with pytest.raises(files.FileNotFound):
            await files.find(tx, ids.new(), new.id)
    assert (row.filename, row.mime_type, row.width, row.height) == ("image-1.png", "image/png", 30, 20)
    assert await storage.read(row.storage_key) == content


async def test_an_output_that_is_none_leaves_no_blob(storage: LocalStorage, settings: Settings):
    with pytest.raises(files.NotMedia):
        await files.prepare_output(
            storage,
            settings,
            user_id=ids.new(),
            content=b"Sorry, no.",
            expected="image",
            generation_id=ids.new(),
            filename="image-1",
        )
    assert [blob async for blob in storage.list("outputs")] == []


async def test_a_deleted_file_is_hidden_at_once_and_swept_after_its_time(
    database: Database, storage: LocalStorage, settings: Settings
):
    user_id = ids.new()
    gone, stays = await kept_file(database, storage, user_id), await kept_file(database, storage, user_id)
    async with database.transaction() as tx:
        assert await files.delete(tx, ids.new(), [gone.id]) == 0
        assert await files.delete(tx, user_id, [gone.id]) == 1
        assert await files.delete(tx, user_id, [gone.id]) == 0
    async with database.snapshot() as tx:
        for ask in (files.find(tx, user_id, gone.id), service.find_any(tx, gone.id)):
            with pytest.raises(files.FileNotFound):
                await ask
        assert [row.id for row in (await service.find_all(tx, user_id, PageRequest())).items] == [stays.id]
    with time_machine.travel(clock.now() + timedelta(days=29), tick=False):
        assert await files.sweep_deleted_files(database, storage, settings) == 0
    assert await storage.read(gone.storage_key) == b"pixels"
    with time_machine.travel(clock.now() + timedelta(days=31), tick=False):
        assert await files.sweep_deleted_files(database, storage, settings) == 1
        assert await files.sweep_deleted_files(database, storage, settings) == 0
    with pytest.raises(BlobNotFound):
        await storage.read(gone.storage_key)
    assert await storage.read(stays.storage_key) == b"pixels"


async def test_a_sweep_is_bounded_and_survives_a_crash_between_blob_and_row(
    database: Database, storage: LocalStorage, settings: Settings
):
    user_id = ids.new()
    kept = [await kept_file(database, storage, user_id) for _ in range(5)]
    async with database.transaction() as tx:
        await files.delete(tx, user_id, [new.id for new in kept])
    await storage.delete(kept[0].storage_key)  # as if a sweep had died right here
    with time_machine.travel(clock.now() + timedelta(days=31), tick=False):
        swept = [await files.sweep_deleted_files(database, storage, settings, limit=2) for _ in range(4)]
    assert swept == [2, 2, 1, 0]
    assert [blob async for blob in storage.list("uploads")] == []


async def test_blobs_without_a_row_go_after_a_day(database: Database, storage: LocalStorage):
    kept = await kept_file(database, storage, ids.new())
    for _ in range(3):
        await storage.put(f"outputs/{ids.new()}", b"lost", "image/png")
    lost = await service.store_upload(storage, ids.new(), Image(b"lost", "image/png", 1, 1), "lost.png")
    assert await files.sweep_orphaned_blobs(database, storage) == 0
    with time_machine.travel(clock.now() + timedelta(hours=25), tick=False):
        assert await files.sweep_orphaned_blobs(database, storage) == 4
        assert await files.sweep_orphaned_blobs(database, storage) == 0
    assert await storage.read(kept.storage_key) == b"pixels"
    with pytest.raises(BlobNotFound):
        await storage.read(lost.storage_key)


async def test_lists_are_filtered_and_paged(database: Database, storage: LocalStorage):
    user_id = ids.new()
    names = [f"Rose {number}_x.png" for number in range(5)] + ["100% tulip.png"]
    made = [(await kept_file(database, storage, user_id, name)).id for name in names]
    await kept_file(database, storage, ids.new(), "Rose of another.png")
    newest = made[::-1]
    async with database.snapshot() as tx:
        seen, cursor = [], None
        while True:
            page = await service.find_all(tx, user_id, PageRequest(2, cursor))
            seen += [row.id for row in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == newest

        async def names_of(**filters) -> int:
            return len((await service.find_all(tx, user_id, PageRequest(50), **filters)).items)

        assert await names_of(words="ROSE") == 5
        assert await names_of(words="_") == 0
        assert await names_of(words="ose") == 0
        assert await names_of(purpose="output") == 0
        assert await names_of(mime_type="image/") == 6
        assert await names_of(mime_type="video/mp4") == 0
        now = clock.now()
        assert await names_of(created_before=now + timedelta(seconds=1)) == 6
        assert await names_of(created_after=now + timedelta(seconds=1)) == 0


async def test_looks_are_counted(database: Database, storage: LocalStorage):
    user_id = ids.new()
    new = await kept_file(database, storage, user_id)
    for _ in range(3):
        async with database.transaction() as tx:
            await service.note_access(tx, new.id)
    async with database.snapshot() as tx:
        row = await files.find(tx, user_id, new.id)
    assert row.accessed_count == 3
    assert row.last_accessed_at is not None
