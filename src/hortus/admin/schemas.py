"""What several parts of administration share on the wire."""

from typing import Annotated

from pydantic import StringConstraints

from hortus.core.schemas import Body, Lines

Reason = Annotated[str, StringConstraints(min_length=3, max_length=500, strip_whitespace=True), Lines]
"""Why an administrator does something; kept beside the audit log, erasable."""


class ReasonIn(Body):
    """Why."""

    reason: Reason
