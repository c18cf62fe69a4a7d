"""Schema of the answer to a webhook call."""

from pydantic import BaseModel


class Received(BaseModel):
    """The response to a webhook: it is stored."""

    received: bool = True
