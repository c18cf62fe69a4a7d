"""Adapters are found, and a broken one does not take the others down."""

import sys
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from hortus.core.http import Http
from hortus.providers import Context, Provider, Registry, discover

ADAPTER = """
class Adapter:
    id = "{id}"
    title = "A guest"
    operations = frozenset({{"text"}})

    def __init__(self, context):
        {init}

    def missing(self): return None
    def serves(self, model): return True
    def generate(self, request): raise NotImplementedError
"""


@pytest.fixture
async def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Context]:
    monkeypatch.chdir(tmp_path)
    async with Http() as http:
        yield Context(http, tmp_path)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """Put a package with an entry point on the path, as an installer would."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    names = []

    def put(name: str, code: str, target: str | None = None) -> None:
        (folder / f"{name}.py").write_text(code)
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[hortus.providers]\n{name} = {target or name + ':Adapter'}\n")
        names.append(name)
        assert name in {point.name for point in entry_points(group="hortus.providers")}

    yield put
    for name in names:
        sys.modules.pop(name, None)


def test_the_adapters_of_the_folder_are_found(context: Context) -> None:
    registry = discover(context)
    found = {provider.id for provider in registry.all()}
    assert {"gemini", "openai_like"} <= found
    assert all(isinstance(provider, Provider) for provider in registry.all())
    assert registry.get("gemini") is not None
    assert registry.get("nobody") is None
    assert not {"base", "registry", "http_helpers", "download"} & (found | registry.broken.keys())


def test_a_registry_can_be_made_by_hand(context: Context) -> None:
    one, other = (discover(context).get(name) for name in ("openai_like", "gemini"))
    registry = Registry(one, other, broken={"third": "no key"})
    assert registry.all() == (other, one)
    assert registry.get("gemini") is other
    assert registry.broken == {"third": "no key"}
    assert Registry().all() == ()


@pytest.mark.parametrize("target", [None, "guest"])
def test_another_package_may_bring_an_adapter(context: Context, install, target: str | None) -> None:
    install("guest", ADAPTER.format(id="guest", init="pass"), target)
    assert discover(context).get("guest") is not None


def test_broken_ones_are_kept_with_their_reason(context: Context, install) -> None:
    install("guest_import", "import no_such_library\n")
    install("guest_build", ADAPTER.format(id="x", init='raise RuntimeError("two\\nlines")'))
    install("guest_twin", ADAPTER.format(id="gemini", init="pass"))
    install("guest_shape", "class Adapter:\n    def __init__(self, context): pass\n")
    registry = discover(context)

    said = {name.split()[0]: reason for name, reason in registry.broken.items()}
    assert "no_such_library" in said["guest_import"]
    assert said["guest_build"] == "RuntimeError: two lines"
    assert "taken" in said["guest_twin"]
    assert "Provider" in said["guest_shape"]
    assert registry.get("gemini").title == "Google Gemini"
    assert registry.get("openai_like") is not None


def test_wrong_settings_break_one_adapter_and_are_not_repeated(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "sk-a-secret-in-the-wrong-place")
    registry = discover(context)
    assert registry.get("openai_like") is None
    assert registry.get("gemini") is not None
    assert "base_url" in registry.broken["openai_like"]
    assert "secret" not in registry.broken["openai_like"]
