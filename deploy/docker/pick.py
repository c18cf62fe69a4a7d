"""Print the part of the hashed lock that one stage of the image needs.

`pick.py build` prints what builds the wheel, `pick.py run [extra …]` what runs it. The lock is one file for all; this
takes blocks away from it and adds nothing, so every line that is left still bears its hashes.
"""

import re
import sys
from pathlib import Path

EXTRAS = {
    "local": {
        "av",
        "espeakng-loader",
        "fontpkg",
        "fontpkg-noto-sans",
        "fontpkg-noto-sans-devanagari",
        "numpy",
        "opencv-python-headless",
    },
}
"""What stands in the lock for the sake of that extra alone."""
BUILD_ONLY = {"editables", "hatchling", "pathspec", "pluggy", "tomlkit", "trove-classifiers"}
BUILD = BUILD_ONLY | {"packaging"}
_NAME = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==")


def blocks(lock: str) -> list[tuple[str, str]]:
    """Each requirement's name and its lines; a name may come twice, for different versions of Python."""
    found: list[tuple[str, str]] = []
    for line in lock.splitlines(keepends=True):
        if match := _NAME.match(line):
            found.append((re.sub(r"[-_.]+", "-", match[1]).lower(), line))
        elif found:
            name, text = found[-1]
            found[-1] = (name, text + line)
    return found


def pick(lock: str, stage: str, extras: set[str]) -> str:
    """That part of the lock. Raises KeyError for an extra that is not known."""
    left_out = set(BUILD_ONLY).union(*EXTRAS.values())
    for extra in extras:
        left_out -= EXTRAS[extra]
    return "".join(text for name, text in blocks(lock) if (name in BUILD if stage == "build" else name not in left_out))


if __name__ == "__main__":
    lock = Path(__file__).with_name("requirements.txt")
    if not lock.exists():
        lock = Path(__file__).parents[2] / "requirements.txt"
    sys.stdout.write(pick(lock.read_text(), sys.argv[1], set(sys.argv[2:])))
