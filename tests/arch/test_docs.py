"""Links in the documentation lead somewhere, and the index names every page."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
PAGES = [name for name in TRACKED if name.endswith(".md") and (ROOT / name).exists()]
TEXT = {".conf", ".env", ".example", ".md", ".py", ".service", ".sh", ".target", ".toml", ".yaml", ".yml", ""}


def anchor(heading: str) -> str:
    """The fragment that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def resolves(page: Path, target: str) -> bool:
    path, _, fragment = target.partition("#")
    file = page.parent / path if path else page
    if not fragment or not file.is_file():
        return file.exists()
    return fragment in {anchor(heading) for heading in re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_resolve(page: str):
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    targets = [each for each in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", each)]
    assert [each for each in targets if not resolves(ROOT / page, each)] == []


def test_paths_of_pages_named_elsewhere_exist():
    named = {
        (path, name)
        for name in TRACKED
        if (ROOT / name).suffix in TEXT and (ROOT / name).is_file()
        for path in re.findall(r"\bdocs/[\w/.-]+\.md\b", (ROOT / name).read_text())
    }
    assert [each for each in sorted(named) if not (ROOT / each[0]).exists()] == []


def test_the_index_links_to_every_page():
    index = (DOCS / "README.md").read_text()
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} - {"README.md"}
    assert sorted(pages - set(re.findall(r"\]\(([^)#]+)\)", index))) == []


def test_paths_of_source_files_in_pages_exist():
    named = {
        (page, path)
        for page in PAGES
        if page != "CHANGELOG.md"
        for path in re.findall(r"`((?:src|tests|migrations|deploy|scripts|bench)/[\w/.-]+)`", (ROOT / page).read_text())
    }
    assert [each for each in sorted(named) if not (ROOT / each[1]).exists()] == []
