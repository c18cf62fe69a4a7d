"""Request fields shared by several admin routes."""

from typing import Annotated

from pydantic import StringConstraints

from hortus.core.schemas import Body, Lines

Reason = Annotated[str, StringConstraints(min_length=3, max_length=500, strip_whitespace=True), Lines]
"""The reason of an administrator's action, stored as an erasable note of the audit log."""


class ReasonIn(Body):
    """The reason of the action."""

    reason: Reason
