"""Words that were replaced by the field's own stay out of names and prose. `banned_words.toml` lists them."""

import ast
import io
import re
import subprocess
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("banned_words.toml")
FOLDERS = ("src", "tests", "docs", "deploy", "scripts", "bench", "examples")
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
PROSE = {".md", ".json", ".yml", ".yaml", ".toml", ".sh", ".conf", ".service", ".html", ".j2"}
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass(frozen=True)
class Ban:
    """A word that is banned in `where`, but for files below one of the `exceptions` (path: reason).

    In identifiers, words of several parts are written with underscores and match neighbouring parts in snake_case and
    CamelCase. In prose they match with spaces, hyphens or underscores between the parts.
    """

    word: str
    where: str
    instead: str
    exceptions: dict[str, str] = field(default_factory=dict)

    def applies(self, path: str) -> bool:
        return not any(path == each or path.startswith(f"{each}/") for each in self.exceptions)


@cache
def bans() -> tuple[Ban, ...]:
    return tuple(Ban(**each) for each in tomllib.loads(LIST.read_text())["ban"])


@cache
def files() -> tuple[str, ...]:
    """Every file that belongs to the repository; without git, every file that is there."""
    places = [*FOLDERS, *PAGES]
    try:
        done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "--", *places], check=True, capture_output=True)
        named = done.stdout.decode().splitlines()
    except (OSError, subprocess.CalledProcessError):
        named = [str(each.relative_to(ROOT)) for place in places for each in [ROOT / place, *(ROOT / place).rglob("*")]]
    return tuple(each for each in named if (ROOT / each).is_file() and each != str(LIST.relative_to(ROOT)))


def parts_of(identifier: str) -> tuple[str, ...]:
    return tuple(part.lower() for part in _PART.findall(identifier))


def words_in(source: str) -> Iterator[tuple[int, str, str]]:
    """The line, the kind and the text of each identifier, comment and docstring of Python source."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], "identifier", token.string
        elif token.type == tokenize.COMMENT:
            yield token.start[0], "prose", token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, "prose", node.value.value


def texts_of(path: str) -> Iterator[tuple[int, str, str]]:
    """The same for any file; the names of Python modules are identifiers."""
    file = ROOT / path
    if file.suffix == ".py":
        for part in Path(path).with_suffix("").parts:
            yield 0, "identifier", part
        yield from words_in(file.read_text())
    elif file.suffix in PROSE:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            yield number, "prose", line


class Finder:
    """Finds banned words in texts."""

    def __init__(self, wanted: tuple[Ban, ...]) -> None:
        self._of = {tuple(ban.word.split("_")): ban for ban in wanted if ban.where in ("identifier", "both")}
        self._longest = max((len(each) for each in self._of), default=0)
        self._prose = {ban.word: ban for ban in wanted if ban.where in ("prose", "both")}
        either = "|".join(ban.replace("_", "[ _-]") for ban in sorted(self._prose, key=len, reverse=True))
        self._pattern = re.compile(rf"\b({either})\b" if either else r"(?!)", re.IGNORECASE)

    def find(self, kind: str, text: str) -> Iterator[Ban]:
        if kind == "prose":
            for match in self._pattern.finditer(text):
                yield self._prose[re.sub("[ -]", "_", match[1].lower())]
            return
        parts = parts_of(text)
        for start in range(len(parts)):
            for end in range(start + 1, min(start + self._longest, len(parts)) + 1):
                if (ban := self._of.get(parts[start:end])) is not None:
                    yield ban


def test_banned_words_stay_out():
    finder = Finder(bans())
    found = [
        f"{path}:{line}: `{ban.word}` ({kind}): {ban.instead}"
        for path in files()
        for line, kind, text in texts_of(path)
        for ban in finder.find(kind, text)
        if ban.applies(path)
    ]
    assert found == []


def test_the_list_is_in_order():
    listed = [ban.word for ban in bans()]
    assert listed == sorted(set(listed))
    assert {ban.where for ban in bans()} <= {"identifier", "prose", "both"}
    assert all(reason for ban in bans() for reason in ban.exceptions.values())


def test_every_exception_is_needed():
    """An exception for a file that no longer contains the word would let it come back."""
    for ban in bans():
        finder = Finder((Ban(ban.word, ban.where, ban.instead),))
        for place in ban.exceptions:
            below = [each for each in files() if each == place or each.startswith(f"{place}/")]
            hits = [each for each in below for _, kind, text in texts_of(each) if next(finder.find(kind, text), None)]
            assert hits, f"{ban.word}: nothing in {place} contains it"


@pytest.mark.parametrize(
    ("kind", "text", "word"),
    [
        ("identifier", "image_wish", "wish"),
        ("identifier", "WishOut", "wish"),
        ("identifier", "waysIn", "ways_in"),
        ("prose", "the ways in are counted", "ways_in"),
        ("prose", "A Wish.", "wish"),
        ("identifier", "wishful", None),
        ("prose", "wishful", None),
    ],
)
def test_words_are_found_whole(kind: str, text: str, word: str | None):
    finder = Finder((Ban("wish", "both", "request"), Ban("ways_in", "both", "credentials")))
    assert next((ban.word for ban in finder.find(kind, text)), None) == word
