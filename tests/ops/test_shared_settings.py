"""Settings that must be equal in all processes are compared, and a difference is one sentence at the start."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.helpers.commands import WITHIN, process

from hortus.core.settings import Settings
from hortus.core.shared_settings import differences, shared_values
from hortus.ops import doctor

SAME = {"LOG_LEVEL": "info", "SECRET_KEY": "k" * 40}


@pytest.fixture
def folder(tmp_path: Path, sqlite_template: Path) -> Path:
    """A data folder with a migrated database."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "hortus.db").write_bytes(sqlite_template.read_bytes())
    return tmp_path


async def said(folder: Path, event: str, times: int = 1) -> list[dict[str, str]]:
    """The lines of that event once there are so many."""
    async with asyncio.timeout(WITHIN):
        while True:
            lines = [line for line in (folder / "log").read_text().splitlines() if f'"{event}"' in line]
            if len(lines) >= times:
                return [json.loads(line) for line in lines]
            await asyncio.sleep(0.1)


async def test_a_worker_without_the_public_url_says_so_at_its_start(folder: Path):
    address = "https://studio.example.com"
    async with process(folder, "hortus", "serve", "--port", "0", PUBLIC_URL=address, **SAME):
        async with asyncio.timeout(WITHIN):
            while "Hortus is up" not in (folder / "log").read_text():
                await asyncio.sleep(0.1)
        async with process(folder, "hortus", "worker", PUBLIC_URL=address, **SAME):
            await said(folder, "worker_started")
            assert "settings_differ" not in (folder / "log").read_text()
        async with process(folder, "hortus", "worker", **SAME):
            await said(folder, "worker_started", 2)
            (line,) = await said(folder, "settings_differ")
        findings = await doctor.examine(Settings(data_dir=folder / "data", secret_key="k" * 40))
    assert "PUBLIC_URL is not set here" in line["hint"]
    assert "http://127.0.0.1:8000" in line["hint"]
    assert address in line["hint"]
    (found,) = [each for each in findings if each.what == "settings"]
    assert (found.state, "PUBLIC_URL is not set here" in found.line) == ("broken", True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("public_url", "https://other.example.com"),
        ("frontend_base_url", "https://app.example.com"),
        ("secret_key", "s" * 40),
        ("redis_url", "redis://127.0.0.1:1/0"),
        ("redis_prefix", "other:"),
        ("quota_timezone", "Asia/Kolkata"),
        ("basic_daily_limit", 7),
        ("pro_daily_limit", 70),
        ("lease_seconds", 7),
    ],
)
def test_each_shared_setting_is_compared_and_no_secret_is_shown(tmp_path: Path, name: str, value: object):
    given = {"data_dir": tmp_path, "secret_key": "k" * 40, "public_url": "https://studio.example.com"}
    mine, theirs = Settings(**given), Settings(**{**given, name: value})
    (sentence,) = differences(mine, shared_values(theirs), "the server a:1:x")
    assert sentence.startswith(name.upper())
    assert "the server a:1:x" in sentence
    shown = f"{sentence} {shared_values(mine)} {shared_values(theirs)}"
    assert not [secret for secret in ("k" * 40, "s" * 40) if secret in shown]
    assert differences(mine, shared_values(mine), "it") == []


def test_a_catalogue_is_compared_by_what_it_says(tmp_path: Path):
    for name, words in (("a.toml", "a"), ("b.toml", "b"), ("c.toml", "a")):
        (tmp_path / name).write_text(words)
    one, other, same = (
        Settings(data_dir=tmp_path, secret_key="k" * 40, catalog_path=tmp_path / f"{name}.toml") for name in "abc"
    )
    assert len(differences(one, shared_values(other), "it")) == 1
    assert differences(one, shared_values(same), "it") == []
