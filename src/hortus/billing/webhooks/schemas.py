"""Schema of the answer to a webhook call."""

from pydantic import BaseModel


class Received(BaseModel):
    """The answer to a webhook call: the news is written down."""

    received: bool = True
