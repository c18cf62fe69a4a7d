"""What the doctor says of encryption, on real databases and a made block device."""

import os
from pathlib import Path

import pytest

from hortus.core.settings import Settings
from hortus.ops import encryption_checks
from hortus.ops.doctor import examine


@pytest.mark.parametrize(
    ("uuid", "encrypted"),
    [("CRYPT-LUKS2-0123", True), ("LVM-abc", False), (None, False)],
    ids=["LUKS", "a plain mapping", "a plain disk"],
)
def test_the_disk_of_the_data_folder(tmp_path: Path, uuid: str | None, encrypted: bool):
    device = tmp_path.stat().st_dev
    place = tmp_path / "sys" / f"{os.major(device)}:{os.minor(device)}" / "dm"
    place.mkdir(parents=True)
    if uuid is not None:
        (place / "uuid").write_text(uuid)
    enough, line = encryption_checks._disk(tmp_path / "not made yet", tmp_path / "sys")
    assert enough is encrypted
    assert line.startswith("files: ")


@pytest.mark.parametrize(
    ("redis_url", "enough"),
    [
        ("redis://127.0.0.1:6379/0", True),
        ("unix:///run/valkey.sock", True),
        ("rediss://cache.internal:6379/0", True),
        ("redis://cache.internal:6379/0", False),
        ("redis://10.0.0.5/0", False),
    ],
)
def test_redis(redis_url: str, enough: bool):
    assert encryption_checks._redis(encryption_checks.make_url(redis_url))[0] is enough


async def test_the_doctor_says_it(database_url: str, tmp_path: Path):
    settings = Settings(database_url=database_url, data_dir=tmp_path)
    lines = [each.line for each in await examine(settings) if each.what == "encryption"]
    assert [line.partition(":")[0] for line in lines] == ["files", "database"]
    assert "encrypted as its disk is" in lines[1]


async def test_a_database_elsewhere_that_cannot_be_reached():
    settings = Settings(database_url="postgresql://hortus@192.0.2.1:1/hortus?connect_timeout=1")
    enough, line = await encryption_checks._database(settings)
    assert not enough
    assert "not reached" in line


async def test_the_doctor_makes_no_database(tmp_path: Path):
    await examine(Settings(data_dir=tmp_path))
    assert not (tmp_path / "hortus.db").exists()
