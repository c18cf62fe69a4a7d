"""The base of every request body, and the texts that may enter."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, model_validator

from hortus.core import ids, text
from hortus.core.clock import iso
from hortus.core.errors import NotFound


def _check_texts(value: Any) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise ValueError("text must not contain null bytes")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("text must be valid Unicode")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_texts(key)
            _check_texts(item)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)


class Body(BaseModel):
    """A request body: unknown fields, null bytes and broken Unicode are refused with the field named."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_bad_text(cls, value: Any) -> Any:
        if isinstance(value, dict):
            _check_texts(value)
        return value


def _known(value: str) -> str:
    if not ids.is_id(value):
        raise NotFound
    return value


Line, Lines = AfterValidator(text.line), AfterValidator(text.lines)
"""Human text in any script, of one line (a name, a title) or of several: `Annotated[str, StringConstraints(…), Line]`.
Control characters and direction marks are refused."""

Id = Annotated[str, AfterValidator(_known)]
"""An id in a path or body. What cannot be an id is nobody's: 404, like any other unknown id."""

Time = Annotated[datetime, PlainSerializer(iso, return_type=str, when_used="json")]
"""A moment on the wire: UTC, ISO 8601, ending in Z."""

MicroCredits = Annotated[int, PlainSerializer(str, return_type=str, when_used="json")]
"""Micro-credits on the wire: a decimal string, so that no client rounds it."""
