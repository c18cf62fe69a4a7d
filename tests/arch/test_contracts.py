"""Import contracts cover every package, modules form no cycle, and the architecture page shows the layers."""

import re
import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS: list[dict[str, Any]] = PROJECT["tool"]["importlinter"]["contracts"]
PACKAGES = sorted(each.parent.name for each in (ROOT / "src" / "hortus").glob("*/__init__.py"))
ACYCLIC = {"accounts", "auth", "billing", "generation"}
"""Packages of several sub-packages, which form no cycle among each other."""
INTERFACE = {"providers", "core"}
"""What the local provider may import of Hortus."""


def contract(name: str) -> dict[str, Any]:
    """The contract whose name begins so."""
    return next(each for each in CONTRACTS if each["name"].startswith(name))


def layers() -> list[list[str]]:
    """The packages of each layer, highest first."""
    return [layer.split(" | ") for layer in contract("Imports go down")["layers"]]


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("hortus", "hortus_local", cache_dir=None)


def test_every_package_has_a_layer():
    """import-linter refuses a package without one; here it is a layer without its package."""
    assert sorted(name for layer in layers() for name in layer) == PACKAGES


def test_the_diagram_shows_the_layers():
    page = (ROOT / "docs" / "contributors" / "architecture.md").read_text()
    diagram = next(block for block in re.findall(r"```\n(.*?)```", page, re.DOTALL) if block.startswith("cli"))
    shown = [re.split(r"\s{2,}", line.strip())[0].split(" | ") for line in diagram.splitlines() if line.strip()]
    assert shown == layers()


def test_siblings_are_checked_in_the_large_packages():
    checked = {name.removeprefix("hortus.") for name in contract("Siblings")["ancestors"]}
    assert checked >= ACYCLIC


def test_the_local_provider_may_not_import_any_other_package():
    forbidden = {name.removeprefix("hortus.") for name in contract("The local provider")["forbidden_modules"]}
    assert forbidden == set(PACKAGES) - INTERFACE


def test_contracts_have_no_exceptions():
    assert [each["name"] for each in CONTRACTS if "ignore_imports" in each or "skip_descendants" in each] == []


def test_modules_form_no_cycle(graph: grimp.ImportGraph):
    """Kahn's algorithm: a module is removed once all that it imports are; what remains is in a cycle or above one."""
    imports = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    assert len(imports) > 500
    while ready := {module for module, imported in imports.items() if not imported}:
        imports = {module: imported - ready for module, imported in imports.items() if module not in ready}
    importers = {imported for each in imports.values() for imported in each}
    assert sorted(set(imports) & importers) == [], "these modules are in a cycle, or between two cycles"


def test_packages_form_no_cycle(graph: grimp.ImportGraph):
    assert graph.nominate_cycle_breakers("hortus") == set()
