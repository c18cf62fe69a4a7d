"""The example client is typed strictly and makes its whole visit; the load profile asks what is there."""

import ast
import asyncio
import py_compile
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import Hortus

from hortus.cli import openapi_docs

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "examples/client.py"
LOAD = ROOT / "deploy/load/locustfile.py"


def test_the_client_is_typed_strictly(tmp_path: Path):
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", CLIENT]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


async def test_the_client_makes_its_visit(server: Hortus, tmp_path: Path):
    image = tmp_path / "image.png"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", str(CLIENT), server.url, str(image),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, wrong = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, wrong.decode()
    with Image.open(image) as image:
        image.load()
    lines = dict(line.split(": ", 1) for line in said.decode().splitlines() if ": " in line)
    assert lines["reply"] == "".join(OpenAIEmulator.reply)
    assert lines["by key"] == "basic"
    assert lines["by key, an image"] == "scope_missing"


def called(path: Path) -> set[tuple[str, str]]:
    """The method and path of each call in a file: `.get("/api/…")`, `._make("/api/…")`, `._call("GET", "/api/…")`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        words = [_text(each) for each in node.args]
        name = node.func.attr
        if name == "_call":
            found.add((str(words[0]).lower(), str(words[1])))
        elif name in ("get", "post", "_make", "_events") and words and str(words[0]).startswith("/"):
            found.add(({"_make": "post", "_events": "get"}.get(name, name), str(words[0])))
    return found


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)
    return None


def test_what_they_call_is_in_the_schema():
    there = {
        (method, re.sub(r"\{\w+\}", "{}", path))
        for path, methods in openapi_docs.schema()["paths"].items()
        for method in methods
    }
    for path in (CLIENT, LOAD):
        asked = {(method, re.sub(r"\{\w+\}", "{}", address)) for method, address in called(path)}
        assert len(asked) >= 7
        assert asked - there == set()


def test_the_load_profile_is_bounded(tmp_path: Path):
    py_compile.compile(str(LOAD), cfile=str(tmp_path / "out.pyc"), doraise=True)
    text = LOAD.read_text()
    assert re.search(r"USERS = min\(.+, 500\)", text)
    assert re.search(r"SECONDS = min\(.+, 1800\)", text)
    assert "return None" in text  # a shape that gives None ends the run
