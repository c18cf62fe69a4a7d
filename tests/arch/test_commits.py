"""Commit messages: `area: imperative summary`, and a body that says why. CONTRIBUTING states the format."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FROM = ROOT / ".ci" / "commits-from"
"""Holds the last commit that the format does not apply to."""
LONGEST = 80
AREA = re.compile(r"[a-z0-9_.-]+(, [a-z0-9_.-]+)*")
SEPARATOR, END = "\x1f", "\x1e"
NOT_IMPERATIVE = re.compile(r"(\w+ing|\w+ed)\b")
IMPERATIVE = frozenset({"bring", "embed", "exceed", "feed", "need", "ping", "proceed", "seed", "speed", "string"})


@dataclass(frozen=True)
class Commit:
    id: str
    subject: str
    body: str
    files: int


def git(*arguments: str) -> str | None:
    """The output of git; None without git, outside a repository, and for a commit that is not in this history."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def commits() -> list[Commit]:
    """The commits after the one in `.ci/commits-from`, without merges; skips where the history is absent."""
    start = FROM.read_text().split()[0]
    if git("merge-base", "--is-ancestor", start, "HEAD") is None:
        pytest.skip("needs the history of this repository")
    form = f"{END}%H{SEPARATOR}%s{SEPARATOR}%b{SEPARATOR}"
    log = git("log", "--no-merges", "--name-only", f"--format={form}", f"{start}..HEAD") or ""
    found = []
    for entry in log.split(END)[1:]:
        id, subject, body, files = entry.split(SEPARATOR)
        found.append(Commit(id[:10], subject, body.strip(), len(files.split())))
    return found


def problems(commit: Commit) -> list[str]:
    """Each rule that the message breaks."""
    area, colon, summary = commit.subject.partition(": ")
    first = summary.partition(" ")[0]
    found = []
    if not colon or not AREA.fullmatch(area):
        found.append("the subject begins with a lower-case area and a colon, such as `billing: `")
    if len(commit.subject) > LONGEST:
        found.append(f"the subject has at most {LONGEST} characters, not {len(commit.subject)}")
    if commit.subject.endswith("."):
        found.append("the subject ends without a full stop")
    if NOT_IMPERATIVE.fullmatch(first) and first not in IMPERATIVE:
        found.append(f"the summary begins with an imperative, not `{first}`")
    if commit.files > 1 and not commit.body:
        found.append("a commit that changes several files has a body that says why")
    return found


def test_messages_follow_the_format():
    wrong = [f"{each.id} {each.subject}: {problem}" for each in commits() for problem in problems(each)]
    assert wrong == []


@pytest.mark.parametrize(
    ("subject", "body", "files", "expected"),
    [
        ("billing: claw back the credits of a refund", "A refund kept them.", 3, 0),
        ("docs: fix a link", "", 1, 0),
        ("generation, chat: open each package once", "Why.", 9, 0),
        ("Billing: claw back", "Why.", 1, 1),
        ("claw back the credits", "Why.", 1, 1),
        ("billing: clawed back.", "Why.", 1, 2),
        ("billing: claw back", "", 2, 1),
        (f"billing: {'x' * 80}", "Why.", 1, 1),
    ],
)
def test_the_rules_find_what_breaks_them(subject: str, body: str, files: int, expected: int):
    assert len(problems(Commit("0" * 10, subject, body, files))) == expected
