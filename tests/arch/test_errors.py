"""Every error code is unique and documented."""

import re
from pathlib import Path

import hortus.main.app  # every feature declares its errors
from hortus.core.errors import Problem

DOCUMENT = Path(__file__).parents[2] / "docs/integrators/errors.md"


def every(kind: type[Problem]) -> set[type[Problem]]:
    return {kind}.union(*(every(child) for child in kind.__subclasses__()))


KINDS = {kind for kind in every(Problem) if kind.__module__.startswith("hortus.")}


def test_a_code_means_one_thing():
    assert hortus.main.app
    codes = [kind.code for kind in KINDS]
    assert sorted(codes) == sorted(set(codes))


def test_every_code_is_documented_with_its_status():
    listed = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", DOCUMENT.read_text(), re.MULTILINE))
    assert listed == {kind.code: str(kind.status) for kind in KINDS}


def test_every_error_tells_what_to_do():
    for kind in KINDS:
        assert kind.detail.endswith("."), kind
        assert 400 <= kind.status < 600
