"""The type of response fields that are credentials or worth money: access tokens, keys, recovery codes, gift codes.

A response with such a field is sent once. It is never stored, and a repetition of its request gets 409
`already_done` (`core.web.deps.IdempotencyKey`).
"""

import json
from functools import cache
from typing import Annotated

from pydantic import BaseModel, Field

MARK = "x-credential"

Credential = Annotated[str, Field(json_schema_extra={MARK: True})]
"""The type of such a field in a response model; the schema marks it with `x-credential`."""


@cache
def bears_credentials(model: type[BaseModel]) -> bool:
    """Whether a response model has a `Credential` at any depth."""
    return f'"{MARK}"' in json.dumps(model.model_json_schema(mode="serialization"))
