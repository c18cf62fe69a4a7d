"""Rules of structure that import-linter cannot express."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "hortus"
FILES = sorted(SOURCE.rglob("*.py"))
OPEN = {"core", "main", "ops"}  # imported module by module
ASSEMBLY = {"main", "cli", "ops", "__main__"}  # these import from everywhere


def package_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return [name for name in found if name.startswith("hortus.")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_packages_are_imported_through_their_init(path: Path):
    own = package_of(path)
    if own in ASSEMBLY:
        return
    for name in imports_of(path):
        parts = name.split(".")
        if parts[1] in OPEN or parts[1] == own:
            continue
        assert len(parts) == 2, f"{path.name} imports {name}: use `from hortus import {parts[1]}`"


def test_only_the_database_commits():
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]
    assert [place for place in found if not place.startswith("core/db/database.py")] == []
    assert found


MONEY = [
    "billing", "invoicing", "ledger", "payments", "quotas", "routing/prices.py", "routing/catalog.py", "core/money.py",
]  # fmt: skip
SECONDS = {"after", "LONGEST_WAIT", "secs", "timeout", "_wait"}
"""Arguments, constants and functions of these packages that are durations."""


def floats_in(node: ast.AST, name: str = "") -> Iterator[int]:
    """The lines with a float that belongs to no duration."""
    match node:
        case ast.Assign(targets=[ast.Name(id=given)]) | ast.AnnAssign(target=ast.Name(id=given)) | ast.arg(arg=given):
            name = given
        case ast.FunctionDef(name=given) | ast.AsyncFunctionDef(name=given):
            name = given
    if isinstance(node, ast.Constant) and isinstance(node.value, float) and name not in SECONDS:
        yield node.lineno
    if isinstance(node, ast.Name) and node.id == "float" and name not in SECONDS:
        yield node.lineno
    for child in ast.iter_child_nodes(node):
        yield from floats_in(child, name)


@pytest.mark.parametrize("place", MONEY)
def test_money_packages_hold_no_float(place: str):
    root = SOURCE / place
    paths = [root] if root.suffix else sorted(root.rglob("*.py"))
    assert paths
    assert [f"{path.name}:{line}" for path in paths for line in floats_in(ast.parse(path.read_text()))] == []


def test_orm_classes_live_in_tables():
    for path in FILES:
        if path.name not in ("tables.py", "db.py"):
            assert "__tablename__" not in path.read_text(), path


def test_files_stay_short():
    long = {str(path.relative_to(SOURCE)): lines for path in FILES if (lines := path.read_text().count("\n")) > 400}
    assert long == {}


def test_functions_stay_short():
    long = [
        f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    ]
    assert long == []


def test_no_lint_rule_is_silenced_without_a_reason():
    for path in FILES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.search(r"#\s*noqa(.*)$", line)
            if found:
                assert re.search(r"-\s\S", found.group(1)), f"{path.name}:{number} has a noqa without a reason"
