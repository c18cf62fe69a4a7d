"""File names from outside, and the signature of links."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from hortus.core import ids
from hortus.core.settings import Settings
from hortus.files.errors import FileNotFound, LinkExpired
from hortus.files.links import ROUNDED_TO, check_link, link
from hortus.files.names import safe_filename


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("holiday.jpg", "holiday.png"),
        ("../../etc/passwd", "passwd.png"),
        ("..\\..\\boot.ini", "boot.png"),
        ("C:\\Users\\me\\cat.png", "cat.png"),
        ("a\r\nSet-Cookie: x=1.png", "aSet-Cookie x=1.png"),
        ('a"; filename="b.exe', "a filename=b.png"),
        ("a%22; x=%0D%0Ab.exe", "a x=b.png"),
        ("100% wool.png", "100 wool.png"),
        ("invoice\u202egpj.exe", "invoicegpj.png"),
        ("line\u2028break.png", "linebreak.png"),
        ("nul\x00byte.png", "nulbyte.png"),
        ("фото с моря.jpeg", "фото с моря.png"),
        ("ফুল 🌷.png", "ফুল 🌷.png"),
        (".htaccess", "htaccess.png"),
        ("no extension", "no extension.png"),
        ("archive.tar.gz", "archive.tar.png"),
        ("", "file.png"),
        ("...", "file.png"),
        ("/", "file.png"),
        ("<script>.svg", "script.png"),
    ],
)
def test_names_are_made_harmless(name: str, kept: str):
    assert safe_filename(name, "image/png") == kept


@given(st.text(max_size=600))
def test_every_name_fits_its_column_and_a_header(name: str):
    kept = safe_filename(name, "image/webp")
    assert kept.endswith(".webp")
    assert 6 <= len(kept) <= 100
    assert not set(kept) & set('/\\"\r\n\x00<>|:*?;%')
    assert not kept.startswith((".", " "))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, secret_key="k" * 40, file_link_seconds=900)


def parts(url: str) -> tuple[str, str, str, bool]:
    split = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(split.query).items()}
    return split.path.rpartition("/")[2], query["exp"], query["sig"], "download" in query


def open_with(settings: Settings, url: str) -> None:
    file_id, expires, signature, download = parts(url)
    check_link(settings, file_id, expires, signature, download=download)


def test_a_link_opens_until_it_expires(settings: Settings):
    with time_machine.travel(datetime(2026, 11, 21, 12, 0, 1, tzinfo=UTC), tick=False) as clock:
        url = link(settings, ids.new())
        assert url.startswith("/api/files/")
        clock.shift(900)
        open_with(settings, url)
        clock.shift(ROUNDED_TO)
        with pytest.raises(LinkExpired):
            open_with(settings, url)


def test_links_made_soon_after_each_other_are_the_same(settings: Settings):
    file_id = ids.new()
    with time_machine.travel(datetime(2026, 11, 21, 12, 0, 1, tzinfo=UTC), tick=False) as clock:
        first = link(settings, file_id)
        clock.shift(ROUNDED_TO - 5)
        assert link(settings, file_id) == first
        clock.shift(10)
        assert link(settings, file_id) != first


def test_nothing_in_a_link_can_be_changed(settings: Settings, tmp_path: Path):
    file_id, expires, signature, _ = parts(link(settings, ids.new()))
    check_link(settings, file_id, expires, signature, download=False)
    other = Settings(data_dir=tmp_path, secret_key="q" * 40)
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    tampered = [
        (settings, ids.new(), expires, signature, False),
        (settings, file_id, str(int(expires) + 300), signature, False),
        (settings, file_id, f" {expires}", signature, False),
        (settings, file_id, expires, signature, True),
        (settings, file_id, expires, flipped, False),
        (settings, file_id, expires, signature[:-1], False),
        (settings, file_id, expires, signature + "=", False),
        (settings, file_id, expires, "", False),
        (settings, file_id, "", "", False),
        (settings, file_id, expires, "ü" * 43, False),
        (other, file_id, expires, signature, False),
    ]
    for given_settings, *link_parts, download in tampered:
        with pytest.raises(FileNotFound):
            check_link(given_settings, *link_parts, download=download)


def test_a_link_to_show_is_none_to_download(settings: Settings):
    file_id = ids.new()
    assert parts(link(settings, file_id))[2] != parts(link(settings, file_id, download=True))[2]
    open_with(settings, link(settings, file_id, download=True))
