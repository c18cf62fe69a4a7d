"""JSON bodies that parsers interpret differently are refused, with the position."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hortus.core.errors import Invalid
from hortus.core.web.strict_route import parse_json

MOST = 100


def refused(body: bytes) -> dict:
    with pytest.raises(Invalid) as caught:
        parse_json(body, MOST)
    assert len(caught.value.extra["errors"]) == 1
    return caught.value.extra["errors"][0]


@pytest.mark.parametrize(
    ("body", "field", "expected"),
    [
        (b'{"a": 1, "a": 2}', "body", "`a`"),
        (b'{"a": 1, "\\u0061": 2}', "body", "`a`"),
        (b'{"n": {"a": 1, "b": 2, "b": 2}}', "body", "`b`"),
        (b'{"a": NaN}', "body", "`NaN`"),
        (b'{"a": [Infinity]}', "body", "`Infinity`"),
        (b'{"a": -Infinity}', "body", "`-Infinity`"),
        (b'{"a": 1e999}', "body", "too large"),
        (b'{"a": -1e999}', "body", "too large"),
        (b'{"a": 100000000000000000000}', "body", "too large"),
        (b'{"a": 0.' + b"1" * 100 + b"}", "body", "too long"),
        (b'\xef\xbb\xbf{"a": 1}', "body", "byte order mark"),
        ('{"a": 1}'.encode("utf-16"), "body", "UTF-8"),
        ('{"a": "é"}'.encode("latin-1"), "body", "offset 7"),
        (b'{"a": "\xed\xa0\x80"}', "body", "UTF-8"),
        (b'{"a": {"b": ["x", "\\ud800"]}}', "a.b.1", "surrogate"),
        (b'{"\\udc00": 1}', "body", "surrogate"),
        (b'{"a": "x\\u0000y"}', "a", "null"),
        (b'{"a": "\x00"}', "body", "line 1, column 8"),
        (b'{"a" 1}', "body", "line 1, column 6"),
        (b'{\n  "a": 1,\n}', "body", "line 3, column 1"),
        (b"[1,]", "body", "column 4"),
        (b'{"a": 01}', "body", "column 8"),
        (b'{"a": 1} x', "body", "column 10"),
        (b"{'a': 1}", "body", "column 2"),
        (b"   ", "body", "column 4"),
        (b"[" * 20_000, "body", "deeply"),
        (b'{"a":' * 20_000, "body", "deeply"),
        (b"[" * 30_000, "body", "arrays"),
    ],
)
def test_ambiguous_json_is_refused_with_its_position(body: bytes, field: str, expected: str):
    error = refused(body)
    assert error["field"] == field
    assert expected in error["detail"]
    if "column" in expected:
        assert expected.endswith(f"column {error['column']}")


def test_escaped_characters_are_text():
    assert parse_json(b'{"a": "\\\\u0000 \\\\ud800 \\ud83e\\ude81"}', MOST) == {"a": "\\u0000 \\ud800 🪁"}


TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
NUMBERS = st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


@given(values, st.booleans())
def test_plain_json_is_parsed_as_by_any_parser(value: object, ascii_only: bool):
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert parse_json(body, 10_000) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b"{" + b",".join(b'"k%d":0' % number for number in range(30_000)) + b"}",
        b"[" + b"{}," * 120_000 + b"{}]",
        b"[" + b"[]," * 120_000 + b"[]]",
        b"[" + b"1," * 180_000 + b"1]",
        b"[" + b"1.5," * 90_000 + b"1]",
        b"[" + b'{"a":1},' * 45_000 + b"1]",
        b'{"a":' + b"9" * 360_000 + b"}",
        b'{"a":' + b"1" * 180_000 + b"." + b"5" * 180_000 + b"}",
        b"{" + b'"a":0,' * 60_000 + b'"a":1}',
        b"[" + b'"\\u0061",' * 40_000 + b'"\\u0061"]',
    ],
    ids=["keys", "objects", "arrays", "integers", "floats", "small", "digits", "decimals", "duplicates", "escapes"],
)
def test_a_hostile_document_is_refused_early(body: bytes):
    """The largest body of any route is about 360 kB. The parser stops after as many values as a valid body has."""
    spent = []
    for _ in range(3):
        started = time.thread_time()
        assert "too" in refused(body)["detail"]
        spent.append(time.thread_time() - started)
    assert min(spent) < 0.02
