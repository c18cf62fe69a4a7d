"""The operations of a schema, one by one, with their references resolved."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    id: str
    tag: str
    about: str
    public: str | None
    """The reason why the operation needs no credential, or None."""
    scopes: tuple[str, ...]
    """Any of these opens it to an API key; none means that no key does."""
    parameters: tuple[dict[str, Any], ...]
    media: str | None
    body: dict[str, Any] | None
    answers: tuple[tuple[str, str], ...]
    """Statuses of success, each with the name of its shape or its media type."""


def operations(schema: dict[str, Any]) -> Iterator[Operation]:
    """All of them, in the order of the schema."""
    for path, methods in schema["paths"].items():
        for method in METHODS:
            if method in methods:
                yield _read(path, method, methods[method])


def _read(path: str, method: str, given: dict[str, Any]) -> Operation:
    content = given.get("requestBody", {}).get("content", {})
    media = next(iter(content), None)
    return Operation(
        method=method.upper(),
        path=path,
        id=given["operationId"],
        tag=given.get("tags", ["other"])[0],
        about=given.get("description", given.get("summary", "")),
        public=given.get("x-public"),
        scopes=tuple(given.get("x-scopes", ())),
        parameters=tuple(given.get("parameters", ())),
        media=media,
        body=content[media]["schema"] if media else None,
        answers=tuple((status, _shape(answer)) for status, answer in given["responses"].items() if status[0] in "23"),
    )


def _shape(answer: dict[str, Any]) -> str:
    for media, content in answer.get("content", {}).items():
        shown = content.get("schema", {})
        if "json" not in media:
            return str(media)
        if "$ref" in shown:
            return str(shown["$ref"]).rpartition("/")[2]
        if shown.get("type") == "array" and "$ref" in shown.get("items", {}):
            return str(shown["items"]["$ref"]).rpartition("/")[2] + "[]"
    return ""


def resolve(schema: dict[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference points to; of alternatives, the first that is not null."""
    while True:
        if "$ref" in shape:
            shape = schema["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
        elif "allOf" in shape and len(shape["allOf"]) == 1:
            shape = {**shape["allOf"][0], **{name: value for name, value in shape.items() if name != "allOf"}}
        elif "anyOf" in shape or "oneOf" in shape:
            choices = shape.get("anyOf") or shape["oneOf"]
            shape = next(choice for choice in choices if choice.get("type") != "null")
        else:
            return shape
