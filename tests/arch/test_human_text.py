"""Every field of a request in which people write takes the letters of every script, and nothing that deceives;
every field for a code takes it as it was pasted; every field for an address refuses what no mail server takes.
"""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from tests.arch.test_routes import ALL
from tests.core.test_text import PASTED

GOOD = (
    "ශ්‍රී ලංකා",  # Sinhala: a joiner after the virama
    "محمد‌رضا",  # Persian: a non-joiner between letters
    "क्‍षितिज",  # Hindi
    "അവന്‍",  # Malayalam: a joiner ends the word
    "Family 👨‍👩‍👧 ❤️‍🔥",
    "new in Unicode 15: 🩷",
)
BAD = ("a\u202eb", "a\x1bb", "a\u2028b", "\u200dab", "ab\u200c", "a\u200b\u200bb")
ONE_LINE = {"name", "title", "features", "state"}
SEVERAL_LINES = {"description", "reason", "address"}
OPAQUE = {
    # Secrets and codes: compared, never shown.
    "password", "new_password", "current_password", "token", "refresh_token", "challenge", "recovery_code", "code",
    "verifier", "coupon", "referral",
    # Content: what a model is to read may hold anything.
    "prompt", "system", "script", "content", "text",
    # Addresses and numbers have a form of their own; so has what is looked up in a list.
    "email", "mobile_number", "gstin", "vat_id", "model", "voice", "style", "color", "addresses", "provider",
    "file_id", "photo_file_id", "checkout_id", "user_id", "attachments",
}  # fmt: skip


def models(kind: Any) -> Iterator[type[BaseModel]]:
    for each in (kind, *get_args(kind)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            yield each
            for field in each.model_fields.values():
                yield from models(field.annotation)
        elif each is not kind:
            yield from models(each)


def free_texts(schema: dict[str, Any]) -> bool:
    """Whether a field takes a text whose form nothing else decides."""
    if schema.get("type") == "string":
        return not ({"pattern", "enum", "const", "format"} & schema.keys())
    return any(free_texts(each) for each in [*schema.get("anyOf", ()), schema.get("items") or {}] if each)


BODIES = sorted(
    {
        model
        for route in ALL
        if route.body_field is not None
        for model in models(route.body_field.field_info.annotation)
    },
    key=lambda model: model.__name__,
)
FIELDS = [
    (model, name)
    for model in BODIES
    for name in model.model_fields
    if free_texts(model.model_json_schema()["properties"].get(name, {}))
]
LETTERED = {"CouponIn", "ExchangeIn", "RedeemIn", "ReferralIn"}
"""Bodies whose `code` is not of digits: of a coupon, of a referral, and the one of a redirect, which nobody types."""


def takes(model: type[BaseModel], name: str, value: str) -> bool:
    field = model.model_fields[name]
    listed = "array" in str(model.model_json_schema()["properties"][name])
    adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
    try:
        adapter.validate_python([value] if listed else value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=lambda each: getattr(each, "__name__", each))
def test_a_field_takes_letters_of_every_script_and_no_deceiving_ones(model: type[BaseModel], name: str):
    kinds = [name in kind for kind in (ONE_LINE, SEVERAL_LINES, OPAQUE)]
    assert sum(kinds) == 1, f"say in this file what {model.__name__}.{name} is"
    if name in OPAQUE:
        return
    refused = [text for text in GOOD if not takes(model, name, text)]
    taken = [text for text in BAD if takes(model, name, text)]
    assert (refused, taken) == ([], [])
    assert takes(model, name, "one\ntwo") is (name in SEVERAL_LINES)


@pytest.mark.parametrize("model", [body for body in BODIES if "code" in body.model_fields], ids=lambda m: m.__name__)
def test_a_code_is_taken_as_it_was_pasted(model: type[BaseModel]):
    if model.__name__ in LETTERED:
        return
    adapter: TypeAdapter[Any] = TypeAdapter(model.model_fields["code"].rebuild_annotation())
    assert {adapter.validate_python(written) for written in PASTED} == {"123456"}
    for wrong in ("12345", "12x456", "one two", "12345\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078"):
        assert not takes(model, "code", wrong)


@pytest.mark.parametrize("model", [body for body in BODIES if "email" in body.model_fields], ids=lambda m: m.__name__)
def test_an_address_has_64_octets_before_the_at_sign(model: type[BaseModel]):
    assert takes(model, "email", f"{'a' * 64}@example.com")
    assert not takes(model, "email", f"{'a' * 65}@example.com")
    assert not takes(model, "email", f"{'é' * 33}@example.com")
