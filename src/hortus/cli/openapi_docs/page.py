"""The reference page docs/integrators/api.md."""

from typing import Any

from hortus.cli.openapi_docs.operations import Operation, operations, resolve

HEAD = """# API reference

Generated from the schema by `make reference`; do not edit. The schema is served at `/openapi.json`, `/docs` and
`/redoc`, and `deploy/postman/hortus.json` is a Postman collection of it. `examples/client.py` is an example client.

Send `Authorization: Bearer <access token or API key>` unless an entry says *public*. *Key* lists the scopes of which
an API key needs one; without that line the route requires a signed-in user. Errors are `application/problem+json`
([errors.md](errors.md)). Lists accept `limit` and `cursor` and return `{items, next_cursor}`. With an
`Idempotency-Key`, a POST can be repeated safely for 24 hours. Required fields are bold.
"""


def page(schema: dict[str, Any]) -> str:
    """The page, by tag in alphabetical order."""
    by_tag: dict[str, list[Operation]] = {}
    for each in operations(schema):
        by_tag.setdefault(each.tag, []).append(each)
    parts = [HEAD]
    for tag in sorted(by_tag):
        parts.append(f"## {tag}\n")
        parts += [_entry(schema, each) for each in sorted(by_tag[tag], key=lambda each: (each.path, each.method))]
    return "\n".join(parts)


def _entry(schema: dict[str, Any], each: Operation) -> str:
    lines = [f"### {each.method} {each.path}", " ".join(each.about.split())]
    if each.public is not None:
        lines.append(f"- *Public*: {each.public}.")
    elif each.scopes:
        lines.append(f"- Key: {', '.join(f'`{scope}`' for scope in each.scopes)}")
    parameters = [_field(p["name"], p["schema"], schema, p.get("required", False)) for p in each.parameters]
    if parameters:
        lines.append(f"- Parameters: {'; '.join(parameters)}")
    if each.body is not None:
        shape = resolve(schema, each.body)
        required = shape.get("required", [])
        fields = [_field(name, field, schema, name in required) for name, field in shape.get("properties", {}).items()]
        kind = "" if each.media == "application/json" else f" ({each.media})"
        lines.append(f"- Body{kind}: {'; '.join(fields) or 'any'}")
    answers = [f"{status} {f'`{shape}`' if shape else ''}".strip() for status, shape in each.answers]
    lines.append(f"- Answers: {', '.join(answers)}")
    return "\n".join(lines) + "\n"


def _field(name: str, given: dict[str, Any], schema: dict[str, Any], required: bool) -> str:
    shape = resolve(schema, given)
    if "enum" in shape:
        kind = " or ".join(f'"{choice}"' for choice in shape["enum"])
    elif "const" in shape:
        kind = str(shape["const"]).lower()
    else:
        kind = str(shape.get("format") or shape.get("type", "any"))
    bounds = [
        f"{sign} {int(shape[word]) if float(shape[word]).is_integer() else shape[word]}"
        for word, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("maxLength", "length ≤"),
            ("maxItems", "items ≤"),
        )
        if word in shape
    ]
    if given.get("default") is not None:
        bounds.append(f"default {given['default']}")
    bounded = ", ".join([kind, *bounds])
    return f"{f'**`{name}`**' if required else f'`{name}`'} {bounded}"
