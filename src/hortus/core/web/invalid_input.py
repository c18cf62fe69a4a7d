"""Validation errors of Pydantic as short, plain sentences: at most 20, each of bounded length."""

from collections.abc import Iterable, Mapping
from typing import Any

MAX_ERRORS = 20
MAX_FIELD = 100
MAX_DETAIL = 300
"""Characters of a field name, which the caller may choose."""

_SENTENCES = {
    "missing": "This field is required.",
    "extra_forbidden": "There is no such field; remove it.",
    "string_type": "Must be a string.",
    "string_too_short": "Must have at least {min_length} characters.",
    "string_too_long": "Must have at most {max_length} characters.",
    "string_pattern_mismatch": "Must match the pattern {pattern}",
    "int_type": "Must be an integer, without quotes.",
    "int_parsing": "Must be an integer.",
    "int_parsing_size": "Must be an integer of at most 19 digits.",
    "int_from_float": "Must be an integer, without a fraction.",
    "float_type": "Must be a number, without quotes.",
    "float_parsing": "Must be a number.",
    "bool_type": "Must be true or false, without quotes.",
    "bool_parsing": "Must be true or false.",
    "list_type": "Must be an array.",
    "dict_type": "Must be an object.",
    "model_type": "Must be an object.",
    "model_attributes_type": "Must be an object.",
    "too_long": "Must have at most {max_length} items.",
    "too_short": "Must have at least {min_length} items.",
    "greater_than": "Must be greater than {gt}.",
    "greater_than_equal": "Must be at least {ge}.",
    "less_than": "Must be less than {lt}.",
    "less_than_equal": "Must be at most {le}.",
    "literal_error": "Must be {expected}.",
    "none_required": "Must be null.",
}


def errors_of(found: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The `errors` of a problem from those of Pydantic, each with its field and a sentence."""
    kept: list[dict[str, str]] = []
    for item in found:
        if len(kept) == MAX_ERRORS:
            break
        kept.append({"field": _field(item["loc"]), "detail": _detail(item)[:MAX_DETAIL]})
    return kept


def _field(loc: tuple[int | str, ...]) -> str:
    # The first part is the location: body, query, path, header.
    return (".".join(str(part)[:MAX_FIELD] for part in loc[1:9]) or str(loc[0]))[:MAX_FIELD]


def _detail(item: Mapping[str, Any]) -> str:
    context = item.get("ctx") or {}
    if item["type"] == "missing" and len(item["loc"]) == 1:
        return "Send a JSON body."
    if item["type"] == "string_too_short" and context.get("min_length") == 1:
        return "Must not be empty."
    sentence = _SENTENCES.get(item["type"])
    if sentence is not None:
        return sentence.format(**context)
    if item["type"] in ("value_error", "assertion_error"):
        return _sentence(str(context.get("error", item["msg"])))
    return _sentence(str(item["msg"]).replace("Input should be", "Must be", 1))


def _sentence(text: str) -> str:
    """`text` with a capital, unless it begins with a field's name, and with a full stop."""
    first = text.partition(" ")[0]
    if first.isalpha():
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
