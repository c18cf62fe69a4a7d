"""Alerts and the dashboard ask for what there is, in sentences that can be read."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.broker import Valkey
from tests.serving import serve

from hortus.main import invariants

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())["groups"]
ALERTS = [rule for group in RULES for rule in group["rules"]]
BOARD = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
ASKED = [rule["expr"] for rule in ALERTS] + [each["expr"] for panel in BOARD["panels"] for each in panel["targets"]]
FUNCTIONS = {
    "sum", "max", "min", "topk", "rate", "increase", "histogram_quantile", "min_over_time",
}  # fmt: skip
WORDS = {"by", "and", "le"}
TOKEN = re.compile(
    r"""\s*(?:(?P<string>"[^"\n]*")|(?P<range>\[\d+[smhd]\])|(?P<number>\d+(\.\d+)?(e\d+)?)|"""
    r"""(?P<name>[a-z_:][a-z0-9_:]*)|(?P<sign>[=!]~|[=!<>]=|[-+*/<>={}(),]))""",
    re.VERBOSE,
)


def tokens(expression: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(expression.rstrip()):
        match = TOKEN.match(expression, at)
        assert match, f"cannot read: {expression[at:]}"
        kind = match.lastgroup or ""
        found.append((kind, match[kind]))
        at = match.end()
    return found


def metrics_of(expression: str) -> dict[str, set[str]]:
    """The metrics an expression names, and the labels it asks of each; brackets must match and words be known."""
    read, opened, found = tokens(expression), [], {}
    last = ""
    for number, (kind, word) in enumerate(read):
        following = read[number + 1][1] if number + 1 < len(read) else ""
        if word in "({" and kind == "sign":
            opened.append(word)
        elif word in ")}" and kind == "sign":
            assert opened, expression
            assert opened.pop() + word in ("()", "{}"), expression
        elif kind == "name" and opened[-1:] == ["{"]:
            found[last].add(word)
            assert following in ("=", "!=", "=~", "!~"), expression
        elif kind == "name" and following == "(":
            assert word in FUNCTIONS | WORDS, word
        elif kind == "name" and following == "by":
            assert word in FUNCTIONS, word
        elif kind == "name" and word not in WORDS and not _in_by(read, number):
            last = word
            found.setdefault(word, set())
        elif kind == "range":
            assert read[number - 1][1] in (last, "}"), expression
    assert not opened, expression
    return found


def _in_by(read: list[tuple[str, str]], at: int) -> bool:
    for number in range(at, -1, -1):
        if read[number][1] == "(":
            return read[number - 1][1] == "by"
        if read[number][1] == ")":
            return False
    return False


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_metric_that_is_asked_for_is_there(database_url: str, tmp_path, valkey: Valkey):
    async with serve(database_url, tmp_path, redis_url=valkey.url) as hortus:
        for name in invariants.PROOFS:
            await invariants.prove(hortus.resources, name)
        page = (await hortus.anonymous().get("/metrics")).text
    there = set()
    for family in text_string_to_metric_families(page):
        there |= {sample.name for sample in family.samples}
        if family.type == "counter":
            there.add(f"{family.name}_total")
        elif family.type == "histogram":
            there |= {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
    named = set().union(*(metrics_of(expression) for expression in ASKED))
    assert len(named) > 20
    assert named - there - {"up"} == set()


@pytest.mark.parametrize("wrong", ["sum(x", "sum(x))", "avg(x)", 'x{a="b"', "x{a}", "sum by (a) (x[5q])", "x ; y"])
def test_what_is_wrong_is_seen(wrong: str):
    with pytest.raises(AssertionError):
        metrics_of(wrong)


def test_rules_are_whole():
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS) > 10
    for rule in ALERTS:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"Hortus[A-Za-z]+", rule["alert"])
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
    guide = (ROOT / "docs" / "OPERATING.md").read_text()
    assert [rule["alert"] for rule in ALERTS if f"`{rule['alert']}`" not in guide] == []


def test_the_dashboard_is_whole():
    assert BOARD["title"] == "Hortus"
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids) > 10
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]}
    assert len(places) == len(ids)
    assert all(panel["targets"] and panel["title"] for panel in BOARD["panels"])
