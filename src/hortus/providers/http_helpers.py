"""Helpers of adapters that use HTTP: map failures to the five errors, parse untrusted responses."""

import asyncio
import base64
import binascii
import json
import math
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from hortus.core.http import Http, HttpError, Response, StreamedResponse, sse_events
from hortus.providers.base import (
    Event,
    ImageRequest,
    KeyRefused,
    NotConfigured,
    Output,
    ProviderError,
    RateLimited,
    Rejected,
    Unavailable,
    Unsupported,
)

MAX_TOKENS = 10_000_000
"""The upper bound of tokens per call; a larger number from a vendor is capped."""

MAX_WAIT = 86_400.0
STREAM_END = "[DONE]"

_POLICY_WORDS = re.compile(r"content_policy|content_filter|moderation|safety|prohibited_content", re.IGNORECASE)
_POLICY_SENTENCE = re.compile(
    r"content polic|usage polic|safety (system|filter|polic)|prohibited content|flagged|responsible ai", re.IGNORECASE
)
_TOO_LONG = re.compile(
    r"context_length|context length|context size|context window|too many tokens|string_above_max_length"
    r"|exceeds the maximum (number of tokens|length)|token count .{0,40}exceeds|prompt is too long",
    re.IGNORECASE,
)
_BAD_KEY = re.compile(
    r"api_key_invalid|api key not valid|invalid_api_key|api key expired|reported as leaked|consumer_suspended"
    r"|api key (was |has been )?(blocked|suspended|disabled|revoked)",
    re.IGNORECASE,
)
_CANNOT = re.compile(
    r"model_not_found|unsupported|not supported|does not support|unknown_parameter|no such model", re.IGNORECASE
)
_MAGIC = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), "image/avif"),
)


async def deliver(events: AsyncGenerator[Event, None], timeout: float) -> AsyncGenerator[Event, None]:
    """The same events, with `timeout` seconds in total, and with no errors but the five.

    The clock also runs while the consumer is busy, but only the adapter's own waiting is interrupted.
    """
    ends = asyncio.get_running_loop().time() + timeout
    async with aclosing(events):
        while True:
            try:
                async with asyncio.timeout_at(ends):
                    event = await anext(events)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise Unavailable("no result in time") from error
            except (HttpError, OSError) as error:
                raise Unavailable(f"{type(error).__name__}: {error}") from error
            yield event


async def call(http: Http, method: str, url: str, **options: Any) -> Any:
    """Send one request and return the JSON of the response; raises the matching error unless the status is 200."""
    response: Response = await http.request(method, url, **options)
    if response.status != 200:
        raise failure(response.status, response.headers, response.body)
    return parse(response.body)


CHECK_SECONDS = 15.0
"""The time limit for verifying a key, in seconds."""


async def get_json(http: Http, url: str, headers: Mapping[str, str]) -> Any:
    """The JSON of a GET that is free of charge; raises one of the five errors, for connection failures too."""
    try:
        return await call(http, "GET", url, headers=dict(headers), timeout=CHECK_SECONDS)
    except (HttpError, OSError) as error:
        raise Unavailable(f"{type(error).__name__}: {error}") from error


async def stream(http: Http, url: str, **options: Any) -> AsyncGenerator[list[str], None]:
    """The data of the server-sent events of a POST, together as they come.

    Ends after `[DONE]`, or quietly when the body does.
    """
    async with http.stream("POST", url, **options) as response:
        if response.status != 200:
            raise failure(response.status, response.headers, await response.read())
        chunks = response.chunks()
        async with aclosing(chunks), aclosing(sse_events(chunks)) as events:  # type: ignore[type-var]
            async for together in events:
                piece = [data for _, data in together]
                if STREAM_END in piece:
                    await _drain(response)
                    yield piece[: piece.index(STREAM_END) + 1]
                    return
                yield piece


async def _drain(response: StreamedResponse) -> None:
    """Read the rest of the body, which has usually arrived, so that the connection can be used again."""
    try:
        async with asyncio.timeout(0.1), aclosing(response.chunks()) as rest:  # type: ignore[type-var]
            async for _ in rest:
                pass
    except (HttpError, TimeoutError):
        pass


# Responses -------------------------------------------------------------------


def parse(body: bytes | str) -> Any:
    """Parse the JSON of a response. Raises Unavailable."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unavailable("the answer is not JSON") from error


def dig(value: Any, *path: str | int) -> Any:
    """The value at `path` in parsed JSON, or None when the shape differs."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def items(value: Any) -> list[Any]:
    """The value if it is a list, else an empty list."""
    return value if isinstance(value, list) else []


def count(value: Any) -> int:
    """A number of tokens as an int from 0 to MAX_TOKENS, for any value that the vendor sent."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value):
        value = int(value)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return 0
    return int(max(0, min(MAX_TOKENS, value)))


def decode(text: Any) -> bytes:
    """Decode base64. Raises Unavailable."""
    if not isinstance(text, str):
        raise Unavailable("an image is missing")
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unavailable("an image is not base64") from error


def image_output(data: bytes) -> Output:
    """An output with the MIME type of the first bytes; raises Unavailable. The image is decoded before it is stored."""
    for magic, mime_type in _MAGIC:
        if magic.match(data):
            return Output(data, mime_type)
    raise Unavailable(f"the content is not an image: {len(data)} bytes")


def describe(request: ImageRequest, instead: str = "") -> str:
    """The prompt together with style and colour; `instead` stands in for an empty prompt."""
    lines = [request.prompt.strip() or instead]
    if request.style:
        lines.append(f"Style: {request.style}.")
    if request.color:
        lines.append(f"Dominant colours: {request.color}.")
    return "\n".join(part for part in lines if part)


# Errors ----------------------------------------------------------------------


def failure(status: int, headers: Mapping[str, str], body: bytes | Any) -> ProviderError:
    """The error for an unsuccessful response; `body` is raw or parsed."""
    payload = body
    if isinstance(body, bytes):
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            payload = None
    words, message = _read_error(payload)
    detail = " ".join(f"{status} {words} {message}".split())[:300]
    if status == 429:
        return RateLimited(detail, _retry_after(headers, payload))
    if violates_policy(words, message):
        return Rejected(detail, "policy")
    if status in {401, 402, 403} or _BAD_KEY.search(f"{words} {message}"):
        # With 403 it may be this model alone that the key may not use.
        whole = status != 403 or _BAD_KEY.search(f"{words} {message}")
        return KeyRefused(detail) if whole else NotConfigured(detail)
    if status in {408, 409, 425} or (status >= 500 and status != 501):
        return Unavailable(detail)
    if status == 413 or _TOO_LONG.search(f"{words} {message}"):
        return Rejected(detail, "too_long")
    if status in {404, 405, 410, 501} or _CANNOT.search(f"{words} {message}"):
        return Unsupported(detail)
    if status in {400, 422}:
        return Rejected(detail, "bad_input")
    return Unavailable(detail)


def violates_policy(words: str, message: str) -> bool:
    """Whether a vendor's error codes or message name a violation of its content policy."""
    return bool(_POLICY_WORDS.search(words) or _POLICY_SENTENCE.search(message))


def embedded(payload: Any) -> ProviderError | None:
    """The error in an event of a stream, or None."""
    error = dig(payload, "error")
    if not error:
        return None
    code = dig(error, "code")
    return failure(code if isinstance(code, int) and 400 <= code <= 599 else 500, {}, payload)


def _read_error(payload: Any) -> tuple[str, str]:
    """The codes and the message of an error, in any of the formats that vendors use."""
    if isinstance(payload, list):
        payload = payload[0] if payload else None
    error = dig(payload, "error")
    if error is None:
        error = payload
    if isinstance(error, str):
        return "", error
    named = [dig(error, key) for key in ("code", "type", "status")]
    named += [dig(entry, "reason") for entry in items(dig(error, "details"))]
    message = dig(error, "message") or dig(error, "detail") or ""
    return " ".join(str(word) for word in named if isinstance(word, str | int)), str(message)


def _retry_after(headers: Mapping[str, str], payload: Any) -> float | None:
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return min(float(text), MAX_WAIT)
    if text:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            pass
        else:
            wait = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
            return min(max(wait, 0.0), MAX_WAIT)
    for entry in items(dig(payload, "error", "details")):
        found = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)s", str(dig(entry, "retryDelay")))
        if found:
            return min(float(found[1]), MAX_WAIT)
    return None
