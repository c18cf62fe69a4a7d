"""The interface between Hortus and providers of generative AI: requests, events, errors, the adapter protocol.

An adapter is one file. It turns a request into a stream of events and every failure into one of five errors (a
KeyRefused is a NotConfigured). It has no access to users, money or routing.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, runtime_checkable

from hortus.core.http import Http

Kind = Literal["text", "chat", "image", "video"]
Operation = Literal[
    "text",
    "chat",
    "image.generate",
    "image.restyle",
    "image.enhance",
    "image.upscale",
    "image.remove_background",
    "video.talking_photo",
    "video.text",
]
"""The operation that is requested. The part before the dot is the kind."""


# Errors ---------------------------------------------------------------------


class ProviderError(Exception):
    """The provider returned no result. `detail` is for operators and logs, never for customers."""

    code: ClassVar[str]

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotConfigured(ProviderError):
    """The adapter lacks a key or an address, or the vendor refused the key."""

    code = "not_configured"


class KeyRefused(NotConfigured):
    """The vendor does not accept the key, or the account behind it: calls fail until the operator acts."""

    code = "key_refused"


class Unsupported(ProviderError):
    """The vendor or model does not support the request; another offer may."""

    code = "unsupported"


class Rejected(ProviderError):
    """The vendor refused the content, or the input is bad for any vendor. Never falls back.

    `reason` is a stable word a customer may see: `policy`, `bad_input` or `too_long`.
    """

    code = "rejected"

    def __init__(self, detail: str, reason: Literal["policy", "bad_input", "too_long"] = "policy") -> None:
        super().__init__(detail)
        self.reason = reason


class RateLimited(ProviderError):
    """The vendor limits the rate. `retry_after` is in seconds, None when it named no time."""

    code = "rate_limited"

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(ProviderError):
    """A technical failure: time-out, server error, invalid response. Falls back."""

    code = "unavailable"


# Requests --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Media:
    """Bytes with their MIME type, verified before the request was built."""

    data: bytes
    mime_type: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation, oldest first in a request."""

    role: Literal["user", "assistant"]
    content: str
    images: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The fields of every request.

    `id` is our generation id and the vendor's idempotency key. `model` is the vendor's
    name of the model. `timeout` is the time until the deadline, in seconds.
    `workdir` is a private empty folder for large results; the caller removes it.
    """

    id: str
    model: str
    timeout: float
    workdir: Path
    operation: Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest(Request):
    """`messages` ends with the user's. Operations `text` and `chat`."""

    messages: tuple[ChatMessage, ...]
    system: str | None = None
    max_tokens: int = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest(Request):
    """`count` images of `width` x `height` pixels; `source` is the image to edit, else None."""

    prompt: str
    width: int
    height: int
    count: int = 1
    style: str | None = None
    color: str | None = None
    source: Media | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRequest(Request):
    """A talking photo (`photo` and `script`) or a video of `prompt`. `language` is BCP 47."""

    prompt: str | None = None
    photo: Media | None = None
    script: str | None = None
    voice: str | None = None
    language: str = "en"
    aspect_ratio: Literal["16:9", "9:16", "1:1"] = "16:9"
    duration_s: int = 6


# Events ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JobStarted:
    """The vendor's id of a paid job. The consumer stores it before it takes the next event."""

    handle: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress, 0 to 100."""

    percent: int


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the text. `usage` is the total so far, where the vendor reports it."""

    text: str
    usage: "Usage | None" = None


@dataclass(frozen=True, slots=True)
class Output:
    """One finished image or video: bytes, or a file inside the request's workdir."""

    content: bytes | Path
    mime_type: str


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage that the vendor reports; never negative, zero where it reports none."""

    input_tokens: int = 0
    output_tokens: int = 0
    images: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of every successful stream."""

    usage: Usage
    finish: Literal["stop", "length"] = "stop"


Event = JobStarted | Progress | Delta | Output | Done


# The adapter -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Context:
    """The resources of the process for every adapter. `data_dir` is the installation's data folder."""

    http: Http
    data_dir: Path


@runtime_checkable
class Provider(Protocol):
    """One vendor. Built once per process with `Adapter(context)`; safe for concurrent calls."""

    id: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, context: Context) -> None: ...

    @property
    def operations(self) -> frozenset[Operation]:
        """The operations that the adapter supports in this installation."""

    def missing(self) -> str | None:
        """One line that names the settings this adapter lacks; None when it is ready."""

    def serves(self, model: str) -> bool:
        """Whether the vendor's model of that name can be called with this configuration."""

    def generate(self, request: Request) -> AsyncIterator[Event]:
        """Carry out the request. Ends with Done, or raises one of the five errors."""


@dataclass(frozen=True, slots=True)
class Speech:
    """The languages of a provider (BCP 47, lower case), the voices it offers, and others that it accepts."""

    languages: tuple[str, ...]
    voices: tuple[str, ...]
    more_voices: frozenset[str] = frozenset()

    def speaks(self, language: str) -> bool:
        """Whether the language is supported, in this or another region."""
        tag = language.strip().lower()
        return tag in self.languages or tag.partition("-")[0] in self.languages

    def has_voice(self, voice: str) -> bool:
        """Whether a voice of this name is accepted."""
        name = voice.strip().lower()
        return name in self.voices or name in self.more_voices


@runtime_checkable
class Speaking(Protocol):
    """An adapter that lists the languages and voices of its videos."""

    def speech(self) -> Speech | None:
        """The languages and voices available now; None when they are unknown."""


@runtime_checkable
class Pollable(Protocol):
    """An adapter whose work is a job at the vendor that outlives our process."""

    def poll(self, handle: str, request: Request) -> AsyncIterator[Event]:
        """Continue a job that was started before; the same events as `generate`, no new job."""

    async def cancel(self, handle: str) -> None:
        """Cancel the job at the vendor; an unknown or ended job is no error."""


@runtime_checkable
class Checkable(Protocol):
    """An adapter that can verify its key at the vendor, free of charge."""

    async def check(self) -> str:
        """The result in a few words. Raises NotConfigured, Unavailable, RateLimited."""


@runtime_checkable
class ResultDeletion(Protocol):
    """An adapter whose vendor stores the result of a job until it is deleted there."""

    async def delete_result(self, handle: str) -> None:
        """Delete the job and its result at the vendor, once both are stored here. An unknown job is no error.

        Raises Unavailable.
        """
