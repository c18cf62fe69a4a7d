"""Errors of the API: each has a code, a status and a sentence that the caller can act on.

They are sent as RFC 9457 `application/problem+json` (see `core.web.problems`).
Features declare their own subclasses beside the code that raises them.
"""

from typing import Any, ClassVar


class Problem(Exception):
    """An expected failure. `detail` is written for the caller; `extra` holds what they need to act."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong on our side"
    detail: str = "The request failed and was logged. Try again; if it persists, quote the request id."
    headers: dict[str, str]

    def __init__(self, detail: str | None = None, *, headers: dict[str, str] | None = None, **extra: Any) -> None:
        self.detail = detail or type(self).detail
        self.headers = headers or {}
        self.extra = extra
        super().__init__(self.detail)


class Invalid(Problem):
    """The request is malformed. `errors` names each field."""

    code, status, title = "invalid_request", 422, "The request is not valid"
    detail = "Correct the fields named in `errors` and send the request again."


class Unauthenticated(Problem):
    """The caller is not authenticated, or the access token is invalid."""

    code, status, title = "unauthenticated", 401, "Sign in first"
    detail = "Send `Authorization: Bearer <access token or API key>`."

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"}, **extra)


class Forbidden(Problem):
    """The caller is authenticated and may not do this."""

    code, status, title = "forbidden", 403, "You may not do this"
    detail = "Your role or the scopes of your key do not allow this."


class NotFound(Problem):
    """The resource does not exist or belongs to another user; both get the same response."""

    code, status, title = "not_found", 404, "Not found"
    detail = "There is no such thing, or it is not yours."


class Conflict(Problem):
    """The resource is not in a state that allows this."""

    code, status, title = "conflict", 409, "That does not fit the current state"
    detail = "Read the current state and try again."


class TooManyRequests(Problem):
    """Too many requests in a short time."""

    code, status, title = "rate_limited", 429, "Too many requests"
    detail = "Wait for `retry_after` seconds, then try again."


class IdempotencyMismatch(Problem):
    """The idempotency key was used with another body."""

    code, status, title = "idempotency_mismatch", 422, "This idempotency key belongs to another request"
    detail = "Use a new `Idempotency-Key` for a different request."


class IdempotencyInProgress(Problem):
    """The first request with this key has not ended yet."""

    code, status, title = "idempotency_in_progress", 409, "The first request with this key is still running"
    detail = "Wait a moment and send the same request again."


class AlreadyDone(Problem):
    """The request was carried out before, and its response contained a credential, which is sent once."""

    code, status, title = "already_done", 409, "This request was carried out before"
    detail = "Its answer held a secret, which is shown once. Make a new request with a new `Idempotency-Key`."


class PayloadTooLarge(Problem):
    """The body is larger than this route accepts."""

    code, status, title = "payload_too_large", 413, "The request is too large"
    detail = "Send less data in one request."


class UnsupportedMediaType(Problem):
    """The body has a type that this route does not accept."""

    code, status, title = "unsupported_media_type", 415, "This content type is not accepted"
    detail = "Send `Content-Type: application/json`, or multipart/form-data for uploads."


class MethodNotAllowed(Problem):
    """The path exists, the method does not."""

    code, status, title = "method_not_allowed", 405, "Method not allowed"
    detail = "The `Allow` header lists the methods of this path."


class ServiceUnavailable(Problem):
    """A service that this one depends on is unavailable."""

    code, status, title = "unavailable", 503, "Not available at the moment"
    detail = "Try again in a little while."
