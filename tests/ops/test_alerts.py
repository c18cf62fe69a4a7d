"""Alerts and the dashboard ask for what there is, in sentences that can be read."""

import json
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.helpers.programs import skip_without
from tests.helpers.server import serve
from tests.helpers.valkey import Valkey

from hortus.ops import invariants

ROOT = Path(__file__).parents[2]
HAPPENED = Path(__file__).parent / "alerts_test.yml"
RULES = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())["groups"]
ALERTS = [rule for group in RULES for rule in group["rules"]]
BOARD = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
ASKED = [rule["expr"] for rule in ALERTS] + [each["expr"] for panel in BOARD["panels"] for each in panel["targets"]]
OUTSIDE = {"job", "instance"}
"""Labels that Prometheus adds to whatever it fetches."""


def metrics_of(expression: str) -> dict[str, set[str]]:
    """The metrics an expression names, and the labels it asks of each."""
    promql = pytest.importorskip("promql_parser", reason="LOUD: no parser of PromQL here, so no rule was read")
    found: dict[str, set[str]] = {}

    def look(node: Any) -> None:
        if isinstance(node, promql.VectorSelector):
            found.setdefault(node.name, set()).update(each.name for each in node.matchers.matchers)

    promql.walk(promql.parse(expression), look)
    return found


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_metric_that_is_asked_for_is_there(database_url: str, tmp_path, valkey: Valkey):
    async with serve(database_url, tmp_path, redis_url=valkey.url) as hortus:
        for name in invariants.CHECKS:
            await invariants.run_check(hortus.resources, name)
        page = (await hortus.anonymous().get("/metrics")).text
    there, labels = set(), defaultdict[str, set[str]](set)
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            there.add(sample.name)
            labels[sample.name] |= set(sample.labels)
        if family.type == "counter":
            there.add(f"{family.name}_total")
        elif family.type == "histogram":
            there |= {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
    named: dict[str, set[str]] = defaultdict(set)
    for expression in ASKED:
        for name, wanted in metrics_of(expression).items():
            named[name] |= wanted
    assert len(named) > 20
    assert set(named) - there - {"up"} == set()
    assert [
        (name, named[name] - labels[name] - OUTSIDE)
        for name in named
        if labels[name] and named[name] - labels[name] - OUTSIDE
    ] == []


@pytest.mark.parametrize(
    "wrong", ["sum(x", "sum(x))", "average(x)", 'x{a="b"', "x{a}", "sum by (a) (x[5q])", "x ; y", "rate(x)"]
)
def test_what_is_wrong_is_seen(wrong: str):
    with pytest.raises(ValueError, match=r"\w"):
        metrics_of(wrong)


def test_prometheus_itself_reads_the_rules_and_fires_in_time():
    """`alerts_test.yml` says what happened, and which alerts must and must not come of it."""
    promtool = shutil.which("promtool")
    if promtool is None:
        skip_without("promtool", "the alerts against events")
    for command in (["check", "rules", ROOT / "deploy" / "alerts.yml"], ["test", "rules", HAPPENED]):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_whole():
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS) > 10
    for rule in ALERTS:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"Hortus[A-Za-z]+", rule["alert"])
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
    guide = (ROOT / "docs/operators/operations.md").read_text()
    assert [rule["alert"] for rule in ALERTS if f"`{rule['alert']}`" not in guide] == []


def test_the_dashboard_is_whole():
    assert BOARD["title"] == "Hortus"
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids) > 10
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]}
    assert len(places) == len(ids)
    assert all(panel["targets"] and panel["title"] for panel in BOARD["panels"])
