"""Strict parsing of every request body, from the schema: no type is converted, no key is accepted twice, no timestamp
overflows."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import Hortus

from hortus.cli import openapi_docs

SCHEMA = openapi_docs.schema()
SHAPES = SCHEMA["components"]["schemas"]
NOBODY = "01a1fc1e-6a60-73ba-9a5f-ff6b75a73baa"
JSON = {"Content-Type": "application/json"}
WRONG: dict[str, list[Any]] = {
    "boolean": [1, 0, "true", "1", "yes", [], {}, 1.0],
    "integer": ["5", "5.0", 5.5, 5.0, True, False, [5], {}, 10**18 * 9, -(10**18) * 9],
    "string": [5, 5.5, True, [], {}, ["x"]],
    "array": ["x", 5, True, {}, {"0": "x"}],
    "object": ["x", 5, True, []],
    "number": ["5", True, [], {}],
}
HOSTILE_MOMENTS = [
    "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z",
    "1999-12-31T23:59:59Z", "9998-12-31T23:59:59-01:00", "10000-01-01T00:00:00Z", "2030-13-01T00:00:00Z",
    "2030-02-30T00:00:00Z", "2030-01-01T24:00:01Z", "2030-01-01T00:00:00+25:00", "1e10", "1893456000", "NaN", "",
    "2030-W01-1", "P1D", "9" * 39,
]  # fmt: skip


def bodies() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, schema of the body) of every operation that takes JSON, with ids of nobody in its path."""
    for path, methods in SCHEMA["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is not None:
                address = re.sub(r"\{(\w+)\}", lambda it: "sandbox" if "gateway" in it[1] else NOBODY, path)
                yield method.upper(), address, resolved(content["schema"])


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = SHAPES[schema["$ref"].rpartition("/")[2]]
    return schema


def kinds(schema: dict[str, Any]) -> set[str]:
    """The JSON types that a field takes."""
    schema = resolved(schema)
    if "anyOf" in schema:
        return set().union(*(kinds(each) for each in schema["anyOf"]))
    return {schema.get("type", "string")}


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, set[str], Any]]:
    """(path, types, wrap) of every field, in nested objects too; `wrap` puts a value at its place in a body."""
    for name, field in resolved(schema).get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, kinds(field), lambda value, name=name: {name: value}
        options = resolved(field).get("anyOf", [field])
        for option in map(resolved, options):
            if option.get("type") == "object":
                for inner, types, wrap in leaves(option, here):
                    yield inner, types, lambda value, name=name, wrap=wrap: {name: wrap(value)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_type_is_converted(hortus: Hortus, full: bool):
    client = await hortus.staff("admin")
    seen, accepted = 0, []
    for method, path, schema in bodies():
        for field, types, wrap in leaves(schema):
            # A number without a fraction is a number; what takes text may refuse it for other reasons.
            for value in WRONG[next(iter(types - {"null"}))][: None if full else 4]:
                answer = await client.request(method, path, json=wrap(value))
                assert answer.status_code in (401, 403, 404, 409, 422), (method, path, field, value, answer.text)
                if answer.status_code != 422:  # refused before its body was looked at
                    continue
                seen += 1
                named = [error["field"] for error in answer.json()["errors"]]
                if not any(one == field or one.startswith(f"{field}.") for one in named):
                    accepted.append((method, path, field, value, named))
    assert accepted == []
    assert seen > 400


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_key_is_there_twice(hortus: Hortus):
    client = await hortus.staff("admin")
    count = 0
    for method, path, schema in bodies():
        name = next(iter(schema.get("properties", {"razorpay_order_id": {}})))
        answer = await client.request(method, path, content=f'{{"{name}": 1, "{name}": 2}}', headers=JSON)
        assert answer.status_code == 422, (method, path, answer.text)
        assert f"`{name}`" in answer.json()["errors"][0]["detail"]
        count += 1
    assert count > 50


async def test_no_moment_overflows(hortus: Hortus):
    """In bodies and in queries: 422 that names the field, on both databases."""
    client = await hortus.staff("admin")
    fields = 0
    for method, path, schema in bodies():
        for field, wrap in moments(schema):
            fields += 1
            for value in HOSTILE_MOMENTS:
                await refused(await client.request(method, path, json=wrap(value)), field, value)
    for path, methods in SCHEMA["paths"].items():
        for parameter in methods.get("get", {}).get("parameters", []):
            given = parameter["schema"].get("anyOf", [parameter["schema"]])
            if any(each.get("format") in ("date-time", "date") for each in given):
                fields += 1
                for value in HOSTILE_MOMENTS:
                    await refused(await client.get(path, params={parameter["name"]: value}), parameter["name"], value)
    assert fields >= 8


def moments(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, field in schema.get("properties", {}).items():
        if any(each.get("format") in ("date-time", "date") for each in resolved(field).get("anyOf", [resolved(field)])):
            yield name, lambda value, name=name: {name: value}


async def refused(answer: httpx2.Response, field: str, value: str) -> None:
    assert answer.status_code == 422, (field, value, answer.text)
    assert field in [error["field"] for error in answer.json()["errors"]], (field, value, answer.text)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_query_has_one_reading(hortus: Hortus):
    client = await hortus.customer()
    for query in (
        "limit=5&limit=6", "limit=5_0", "limit=+5", "limit=%205", "limit=5.0", "limit=1e1", "limit=٥", "limit=",
        "limit=" + "9" * 5_000, "pinned=yes", "pinned=1", "pinned=on", "pinned=True", "pinned=true&pinned=false",
    ):  # fmt: skip
        answer = await client.get(f"/api/chatroom?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, query[:6].partition("=")[0]), query
    answer = await client.get("/api/chatroom?limit=5&pinned=true&utm=a&utm=b")
    assert answer.status_code == 200, answer.text
    many = await client.get("/api/chatroom?" + "a&" * 200)
    assert many.status_code == 422


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_errors_of_invalid_input_are_short(hortus: Hortus):
    anonymous = hortus.anonymous()
    long = await anonymous.post("/api/auth/login", json={"k" * 7_000: 1})
    assert len(long.text) < 1_000
    assert max(len(error["field"]) for error in long.json()["errors"]) <= 100
    many = await anonymous.post("/api/auth/login", json={f"k{number}": number for number in range(200)})
    assert (many.status_code, len(many.json()["errors"])) == (422, 1)
    some = await anonymous.post("/api/auth/login", json={f"k{number}": number for number in range(12)})
    assert (some.status_code, len(some.json()["errors"]) <= 20) == (422, True)
    assert {"field": "k0", "detail": "There is no such field; remove it."} in some.json()["errors"]
    broken = await anonymous.post("/api/auth/login", content=b'{\n "email": 1,}', headers=JSON)
    error = broken.json()["errors"][0]
    assert (error["field"], error["line"], error["column"]) == ("body", 2, 13)
    for method, path, schema in bodies():
        for field, _, wrap in leaves(schema):
            for value in ("", "?" * 41, -1):
                answer = await anonymous.request(method, path, json=wrap(value))
                if answer.status_code == 422:
                    for said in answer.json()["errors"]:
                        assert re.match(r"[A-Z`a-z].{5,298}[.!?]$|Must match the pattern ", said["detail"]), (
                            field,
                            said,
                        )
                        assert not said["detail"].startswith(("Value error", "Input should", "String should")), said
                        assert len(said["detail"]) <= 300


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_older_names_of_fields_are_read_too(hortus: Hortus, vendor: OpenAIEmulator):
    """`image_size`, `message` and `otp` of the systems that Hortus replaces; two names for one field are refused."""
    client = await hortus.customer()
    for size, status in ((512, 202), ("512x256", 202), (5, 422), (True, 422), ("512", 422)):
        answer = await client.post("/api/image/generate", json={"prompt": "a lake", "image_size": size})
        assert answer.status_code == status, answer.text
    room = (await client.post("/api/chatroom", json={})).json()["id"]
    answer = await client.post(f"/api/chatroom/{room}/message", json={"message": "Hello"})
    assert (answer.status_code, answer.json()["message"]["content"]) == (202, "Hello")
    both = await client.post(f"/api/chatroom/{room}/message", json={"message": "Hello", "content": "Bye"})
    assert both.status_code == 422
    wrong = await client.post("/api/auth/verify-otp", json={"email": "a@example.com", "otp": "123456"})
    assert wrong.json()["code"] != "invalid_request"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_option_that_is_not_offered_is_refused_with_the_list(hortus: Hortus):
    client = await hortus.customer()
    for field, wrong, one in (("language", "xx", "hi"), ("voice", "nope", "priya")):
        answer = await client.post("/api/video/generate", json={"prompt": "a lake", field: wrong})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text
        assert one in answer.json()["offered"]
        assert wrong not in answer.json()["offered"]
    for language in ("en-GB", "pt-BR", "HI"):
        answer = await client.post("/api/video/generate", json={"prompt": "", "language": language})
        assert "offered" not in answer.json()
