"""Errors of routing."""

from typing import Literal

from hortus.core.errors import Problem


class ModelNotOffered(Problem):
    """The named model is not in the catalogue, is retired, or its vendor is not configured."""

    code, status, title = "model_not_offered", 422, "This model is not offered here"
    detail = "Choose one from GET /api/models, or leave `model` out."


class NothingOffered(Problem):
    """No configured provider can do this at all."""

    code, status, title = "not_offered", 503, "This installation does not offer that"
    detail = "No configured provider can do this now. GET /api/models lists what is offered."


class AllFailed(Exception):
    """Every offer failed technically, or the deadline passed; the attempts are in the trace.

    `code` is what the customer is given: `not_offered` when nothing can succeed before the operator acts (keys that
    vendors refuse, offers switched off), else `unavailable`.
    """

    def __init__(self, code: Literal["unavailable", "not_offered"]) -> None:
        super().__init__()
        self.code = code


class ContentRejected(Exception):
    """The vendor refused the content or the input. `reason`: policy, bad_input or too_long."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
