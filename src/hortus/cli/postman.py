"""A Postman collection (v2.1): first a journey that runs from end to end, then every operation by its tag.

Scripts keep what answers bring (tokens, ids) in the collection's variables, so that the next request has them.
"""

import json
import uuid
from typing import Any

from hortus.cli.openapi_docs.journey import ERRORS, JOURNEY, Step
from hortus.cli.openapi_docs.operations import Operation, operations, resolve

VARIABLES = {
    "base_url": "http://127.0.0.1:8000",
    "email": "",
    "password": "a long enough passphrase 7",
    "access_token": "",
    "refresh_token": "",
    "api_key": "",
    "generation_id": "",
    "room_id": "",
    "message_id": "",
    "file_id": "",
    "key_id": "",
    "session_id": "",
    "user_id": "",
    "cursor": "",
    "tries": "0",
}
WORDS = {
    "email": "{{email}}",
    "password": "{{password}}",
    "new_password": "{{password}} and more",
    "current_password": "{{password}}",
    "refresh_token": "{{refresh_token}}",
    "mobile_number": "+919876543210",
    "code": "000000",
    "title": "A room",
    "prompt": "A quiet mountain lake at dawn",
    "script": "Hello! I am a photograph that learned to speak.",
    "content": "Hello",
    "plan": "pro",
    "pack": "small",
    "gateway": "sandbox",
    "reason": "Requested by the customer",
    "name": "Example",
}
KEPT_BY_ID = {
    "create_room": (("room_id", "id"),),
    "send_message": (("message_id", "reply.id"), ("generation_id", "generation_id")),
    "upload": (("file_id", "id"),),
    "create_key": (("key_id", "id"),),
}
TOKENS = (("access_token", "access_token"), ("refresh_token", "refresh_token"), ("user_id", "user.id"))


def collection(schema: dict[str, Any]) -> dict[str, Any]:
    """The collection as Postman imports it."""
    found = {each.id: each for each in operations(schema)}
    folders: dict[str, list[dict[str, Any]]] = {}
    for each in found.values():
        folders.setdefault(each.tag, []).append(_item(each, _sample_body(schema, each), _saved(each)))
    start = [_step(schema, found[step.id], step) for step in JOURNEY]
    errors = [_step(schema, found[step.id], step) for step in ERRORS]
    return {
        "info": {
            "_postman_id": str(uuid.uuid5(uuid.NAMESPACE_URL, "https://hortus.invalid/collection")),
            "name": "Hortus",
            "description": "Run the folder `Journey` first: it signs up, makes an image, chats, makes an API key. "
            "Its scripts keep the tokens and ids that every other request uses.",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{access_token}}", "type": "string"}]},
        "variable": [{"key": name, "value": value, "type": "string"} for name, value in VARIABLES.items()],
        "event": [_script("prerequest", ["if (!pm.collectionVariables.get('email')) {",
            "  pm.collectionVariables.set('email', 'u' + Date.now() + '@example.com');", "}"])],
        "item": [
            {"name": "Journey", "item": start},
            {"name": "Errors", "item": errors},
            *[{"name": tag, "item": folders[tag]} for tag in sorted(folders)],
        ],
    }  # fmt: skip


def _step(schema: dict[str, Any], operation: Operation, step: Step) -> dict[str, Any]:
    body = step.body if step.body is not None else _sample_body(schema, operation)
    item = _item(operation, body, step.keeps, expected=step.status, until=step.until, query=step.query)
    item["name"] = step.name
    if step.code is not None:
        item["event"][0]["script"]["exec"] += [
            f"pm.test('is {step.code}', () => pm.expect(pm.response.json().code).to.eql('{step.code}'));",
            "pm.test('quotes its request', () => pm.expect(typeof pm.response.json().request_id).to.eql('string'));",
        ]
    if step.anonymous:
        item["request"]["auth"] = {"type": "noauth"}
    if step.bearer:
        token = {"key": "token", "value": f"{{{{{step.bearer}}}}}", "type": "string"}
        item["request"]["auth"] = {"type": "bearer", "bearer": [token]}
    return item


def _item(
    operation: Operation,
    body: Any,
    saved: tuple[tuple[str, str], ...],
    *,
    expected: int | None = None,
    until: tuple[str, str] | None = None,
    query: tuple[tuple[str, str], ...] = (),
) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": operation.method,
        "header": [],
        "url": _url(operation, query),
        "description": operation.about,
    }
    if operation.public is not None:
        request["auth"] = {"type": "noauth"}
    if operation.media == "application/json":
        request["header"] = [{"key": "Content-Type", "value": "application/json"}]
        raw = json.dumps(body, indent=2, ensure_ascii=False)
        request["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
    elif operation.media == "multipart/form-data":
        request["body"] = {"mode": "formdata", "formdata": [{"key": "file", "type": "file", "src": []}]}
    if any(p["name"].lower() == "idempotency-key" for p in operation.parameters):
        request["header"] = [*request["header"], {"key": "Idempotency-Key", "value": "{{$guid}}"}]
    item: dict[str, Any] = {"name": operation.id.replace("_", " "), "request": request, "response": []}
    lines = []
    if expected is not None:
        lines.append(f"pm.test('answers {expected}', () => pm.response.to.have.status({expected}));")
    lines += [
        f"if (pm.response.code < 300) pm.collectionVariables.set('{name}', pm.response.json().{path});"
        for name, path in saved
    ]
    if until is not None:
        lines += _asking_again(*until)
    if lines:
        item["event"] = [_script("test", lines)]
    return item


def _asking_again(field: str, value: str) -> list[str]:
    return [
        "const tries = Number(pm.collectionVariables.get('tries')) + 1;",
        f"if (['queued', 'running'].includes(pm.response.json().{field}) && tries < 240) {{",
        "  pm.collectionVariables.set('tries', tries);",
        "  pm.execution.setNextRequest(pm.info.requestName);",
        "  setTimeout(() => {}, 500);  // Postman waits for it before it repeats the request",
        "} else {",
        "  pm.collectionVariables.set('tries', 0);",
        f"  pm.test('is {value}', () => pm.expect(pm.response.json().{field}).to.eql('{value}'));",
        "}",
    ]


def _script(listen: str, lines: list[str]) -> dict[str, Any]:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": lines}}


def _url(operation: Operation, query: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    names = [p["name"] for p in operation.parameters if p["in"] == "path"]
    parts = [
        f":{part[1:-1]}" if part.startswith("{") else part for part in operation.path.strip("/").split("/") if part
    ]
    url: dict[str, Any] = {"raw": "/".join(["{{base_url}}", *parts]), "host": ["{{base_url}}"], "path": parts}
    if names:
        url["variable"] = [{"key": name, "value": f"{{{{{name}}}}}" if name in VARIABLES else "1"} for name in names]
    filters = [
        {"key": p["name"], "value": "", "disabled": not p.get("required", False)}
        for p in operation.parameters
        if p["in"] == "query" and p["name"] not in dict(query)
    ]
    given = [{"key": name, "value": value} for name, value in query]
    if given or filters:
        url["query"] = given + filters
    if given:
        url["raw"] += "?" + "&".join(f"{name}={value}" for name, value in query)
    return url


def _saved(operation: Operation) -> tuple[tuple[str, str], ...]:
    if ("200", "TokensOut") in operation.answers or operation.id in ("register", "login", "refresh", "verify_otp"):
        return TOKENS if operation.id != "refresh" else TOKENS[:2]
    if any(shape == "GenerationOut" and status == "202" for status, shape in operation.answers):
        return (("generation_id", "id"),)
    return KEPT_BY_ID.get(operation.id, ())


def _sample_body(schema: dict[str, Any], operation: Operation) -> Any:
    return _sample(schema, operation.body, "") if operation.body is not None else None


def _sample(schema: dict[str, Any], given: dict[str, Any], name: str) -> Any:
    shape = resolve(schema, given)
    for word in ("const", "default"):
        if shape.get(word) is not None:
            return shape[word]
    if shape.get("enum"):
        return shape["enum"][0]
    kind = shape.get("type")
    if kind == "object":
        required = shape.get("required", [])
        fields = shape.get("properties", {})
        return {each: _sample(schema, fields[each], each) for each in fields if each in required}
    if kind == "array":
        return [_sample(schema, shape["items"], name)] * shape.get("minItems", 0)
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        return shape.get("minimum", 1)
    return f"{{{{{name}}}}}" if name in VARIABLES else WORDS.get(name, "example")
