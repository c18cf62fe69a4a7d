"""Context variables of the running request or task."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the request that caused this work; `-` outside any request."""

transaction_open: ContextVar[bool] = ContextVar("transaction_open", default=False)
"""True while this task holds a database transaction. `core.http` refuses calls then."""
