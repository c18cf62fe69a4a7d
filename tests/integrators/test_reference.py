"""What integrators are given is made from the schema, is not stale, and works against a live server."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.helpers.server import Hortus

from hortus.cli import openapi_docs
from hortus.cli.openapi_docs.operations import operations

ROOT = Path(__file__).parents[2]
COLLECTION = ROOT / "deploy/postman/hortus.json"


@pytest.mark.parametrize(("form", "path"), [("page", ROOT / "docs/integrators/api.md"), ("postman", COLLECTION)])
def test_it_is_not_stale(form: Any, path: Path):
    assert path.read_text() == openapi_docs.describe(form), f"{path.name} is stale: say `make reference`"


def test_the_command_prints_the_schema():
    command = [sys.executable, "-m", "hortus", "schema"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=os.environ)
    assert json.loads(told.stdout) == json.loads(openapi_docs.describe("openapi"))
    wrong = subprocess.run([*command, "--as", "html"], check=False, capture_output=True, timeout=60)
    assert wrong.returncode == 2


def items() -> list[dict[str, Any]]:
    return [item for folder in json.loads(COLLECTION.read_text())["item"] for item in folder["item"]]


def test_the_collection_is_whole_and_names_only_its_own_variables():
    collection = json.loads(COLLECTION.read_text())
    assert collection["info"]["schema"].endswith("/v2.1.0/collection.json")
    given = {each["key"] for each in collection["variable"]}
    used = set(re.findall(r"\{\{([^}]+)\}\}", COLLECTION.read_text()))
    assert used - given == {"$guid"}
    asked = {(item["request"]["method"], "/" + "/".join(item["request"]["url"]["path"])) for item in items()}
    expected = {(each.method, re.sub(r"\{(\w+)\}", r":\1", each.path)) for each in operations(openapi_docs.schema())}
    assert asked == expected
    for item in items():
        assert {"method", "header", "url"} <= set(item["request"])
        for event in item.get("event", []):
            assert event["listen"] in ("test", "prerequest")
            assert all(isinstance(line, str) for line in event["script"]["exec"])
        raw = item["request"].get("body", {}).get("raw")
        assert raw is None or isinstance(json.loads(raw), dict)


def test_every_operation_stands_on_the_page():
    text = (ROOT / "docs/integrators/api.md").read_text()
    for each in operations(openapi_docs.schema()):
        assert f"### {each.method} {each.path}\n" in text


async def run(*command: str | Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, wrong = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, (said + wrong).decode()[-3000:]
    return said.decode()


async def test_the_collection_runs(server: Hortus, tmp_path: Path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("LOUD: no node here, so the scripts of the Postman collection were not run")
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "me.png")
    said = await run(node, Path(__file__).parent / "postman.mjs", COLLECTION, server.url, tmp_path / "me.png", "rest")
    results = json.loads(said)
    failed = [each for each in results if not all(test[1] for test in each["tests"])]
    assert failed == []
    journey, errors = (len(folder["item"]) for folder in json.loads(COLLECTION.read_text())["item"][:2])
    refusals = results[journey : journey + errors]
    assert len(refusals) >= 3
    assert all(each["code"] >= 400 and len(each["tests"]) >= 3 for each in refusals)
    assert sum(len(each["tests"]) for each in results[:journey]) >= journey
    assert len(results) > 100
    # As a customer with made-up bodies: much is refused, nothing breaks, and every route is there.
    assert [each for each in results if each["code"] >= 500 or each["code"] == 405] == []
    missing = [each for each in results if each["code"] == 404 and not each["shown"].startswith("{")]
    assert missing == []


async def test_newman_runs_it_too(server: Hortus):
    newman = shutil.which("newman")
    if newman is None:
        pytest.skip("LOUD: no newman here; the collection was run by tests/integrators/postman.mjs instead")
    await run(newman, "run", COLLECTION, "--folder", "Journey", "--env-var", f"base_url={server.url}", "--bail")
