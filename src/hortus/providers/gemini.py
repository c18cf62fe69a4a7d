"""Google's Gemini by an API key: text, images (Nano Banana), and video through Interactions.

Settings: GEMINI_API_KEY (or GOOGLE_API_KEY), GEMINI_BASE_URL (or GOOGLE_GEMINI_BASE_URL),
GEMINI_IDLE_TIMEOUT and GEMINI_POLL_SECONDS in seconds.

Requests set `store` to false. Video is the exception: it is a background job, which Google always stores, so the job is
deleted as soon as its result is stored here.
"""

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from pydantic import AfterValidator, AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from hortus.core.configuration import Secret, SettingsGroup, WebAddress
from hortus.providers.base import (
    Context,
    Delta,
    Done,
    Event,
    ImageRequest,
    NotConfigured,
    Operation,
    Output,
    Rejected,
    Request,
    TextRequest,
    Unavailable,
    Unsupported,
    Usage,
    VideoRequest,
)
from hortus.providers.gemini_objects import find_refusal, put_inline, read_usage
from hortus.providers.gemini_video import Interactions
from hortus.providers.http_helpers import (
    call,
    count,
    decode,
    deliver,
    describe,
    dig,
    embedded,
    get_json,
    image_output,
    items,
    parse,
    stream,
)

GOOGLE = "https://generativelanguage.googleapis.com"
VERSIONS = ("v1", "v1beta")
"""Versions of the API; the first is used unless the address contains another."""

THINKING_LEVEL = "LOW"
"""Thinking counts towards `max_tokens`; a higher level can use them up before the answer."""

RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")


def _with_version(value: str) -> str:
    value = value.rstrip("/")
    return value if value.endswith(tuple(f"/{version}" for version in VERSIONS)) else f"{value}/{VERSIONS[0]}"


class GeminiSettings(SettingsGroup):
    """A key from Google AI Studio; the address is for gateways and tests."""

    model_config = SettingsConfigDict(env_prefix="GEMINI_")
    heading: ClassVar[str] = "Gemini"

    api_key: Secret = Field(SecretStr(""), validation_alias=AliasChoices("GEMINI_API_KEY", "GOOGLE_API_KEY"))
    """A key from Google AI Studio."""
    base_url: Annotated[WebAddress, AfterValidator(_with_version)] = Field(
        GOOGLE, validate_default=True, validation_alias=AliasChoices("GEMINI_BASE_URL", "GOOGLE_GEMINI_BASE_URL")
    )
    """For gateways and tests."""
    idle_timeout: float = Field(30.0, gt=0, le=600)
    """Seconds without data after which a stream counts as broken."""
    poll_seconds: float = Field(3.0, gt=0, le=60)
    """Seconds between two polls of a video job."""


class Adapter:
    """Any model Google serves by the key, called by Google's own name for it."""

    id: ClassVar[str] = "gemini"
    title: ClassVar[str] = "Google Gemini"
    operations: ClassVar[frozenset[Operation]] = frozenset(
        {"text", "chat", "image.generate", "image.restyle", "image.enhance", "video.talking_photo", "video.text"}
    )
    Settings: ClassVar[type[SettingsGroup]] = GeminiSettings

    def __init__(self, context: Context) -> None:
        self._http = context.http
        self._settings = GeminiSettings()
        self._base = self._settings.base_url
        self._headers = {"x-goog-api-key": self._settings.api_key.get_secret_value()}
        self._jobs = Interactions(self._http, self._base, self._headers, self._settings.poll_seconds)

    def missing(self) -> str | None:
        """None with a key."""
        if not self._settings.api_key.get_secret_value():
            return "Set GEMINI_API_KEY (or GOOGLE_API_KEY)."
        return self._settings.placeholder()

    def serves(self, model: str) -> bool:
        """Every model, once there is a key; an unknown one raises Unsupported when it is called."""
        return bool(model) and self.missing() is None

    def generate(self, request: Request) -> AsyncGenerator[Event, None]:
        """Deltas of a text, images, or a job and its video."""
        return deliver(self._generate(request), request.timeout)

    def poll(self, handle: str, request: Request) -> AsyncGenerator[Event, None]:
        """Continue a video job that was started before."""
        return deliver(self._poll(handle, request), request.timeout)

    async def cancel(self, handle: str) -> None:
        """Stop a video job; an unknown or ended one is no error."""
        await self._jobs.cancel(handle)

    async def check(self) -> str:
        """Request one page of the list of models, which is free of charge."""
        answer = await get_json(self._http, f"{self._base}/models?pageSize=1000", self._headers)
        return f"the key is accepted; {len(items(dig(answer, 'models')))} models"

    async def delete_result(self, handle: str) -> None:
        """Delete the job and its video at the vendor."""
        await self._jobs.delete_result(handle)

    async def _generate(self, request: Request) -> AsyncGenerator[Event, None]:
        self._check(request)
        if isinstance(request, TextRequest):
            work = self._write(request)
        elif isinstance(request, ImageRequest):
            work = self._draw(request)
        elif isinstance(request, VideoRequest):
            _check_video(request)
            work = self._jobs.run(request)
        else:
            raise Unsupported(f"{self.id} does not support {request.operation}")
        async with aclosing(work):
            async for event in work:
                yield event

    async def _poll(self, handle: str, request: Request) -> AsyncGenerator[Event, None]:
        self._check(request)
        if not isinstance(request, VideoRequest):
            raise Unsupported(f"{request.operation} runs as no job")
        async with aclosing(self._jobs.follow(handle, request)) as work:
            async for event in work:
                yield event

    def _check(self, request: Request) -> None:
        missing = self.missing()
        if missing is not None:
            raise NotConfigured(missing)
        if request.operation not in self.operations:
            raise Unsupported(f"{self.id} does not support {request.operation}")

    def _address(self, model: str, verb: str) -> str:
        return f"{self._base}/models/{quote(model.removeprefix('models/'), safe='')}:{verb}"

    # Text

    async def _write(self, request: TextRequest) -> AsyncGenerator[Event, None]:
        usage, finish, wrote = Usage(), "", False
        events = stream(
            self._http,
            self._address(request.model, "streamGenerateContent") + "?alt=sse",
            headers=self._headers,
            json=_text_body(request),
            timeout=request.timeout,
            idle_timeout=self._settings.idle_timeout,
        )
        async with aclosing(events):
            async for piece in events:
                parts: list[str] = []
                reported: Usage | None = None
                for data in piece:
                    chunk = parse(data)
                    error = embedded(chunk) or find_refusal(chunk)
                    if error is not None:
                        raise error
                    reported = read_usage(chunk) or reported
                    finish = str(dig(chunk, "candidates", 0, "finishReason") or finish)
                    for part in items(dig(chunk, "candidates", 0, "content", "parts")):
                        text = dig(part, "text")
                        if isinstance(text, str) and not dig(part, "thought"):
                            parts.append(text)
                usage = reported or usage
                if any(parts):
                    wrote = True
                    yield Delta("".join(parts), reported)
        if finish not in {"STOP", "MAX_TOKENS"}:
            raise Unavailable(f"the stream was cut; finished with {finish[:40]!r}")
        if not wrote:
            raise Unavailable(f"no text; finished with {finish}")
        yield Done(usage, "length" if finish == "MAX_TOKENS" else "stop")

    # Images

    async def _draw(self, request: ImageRequest) -> AsyncGenerator[Event, None]:
        if request.source is None and request.operation != "image.generate":
            raise Rejected(f"{request.operation} needs a source image", "bad_input")
        calls = [asyncio.create_task(self._draw_one(request)) for _ in range(max(1, request.count))]
        try:
            drawn = await asyncio.gather(*calls)
        finally:
            for task in calls:
                task.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        for output, _ in drawn:
            yield output
        used = [usage for _, usage in drawn]
        yield Done(
            Usage(
                input_tokens=count(sum(usage.input_tokens for usage in used)),
                output_tokens=count(sum(usage.output_tokens for usage in used)),
                images=len(drawn),
            )
        )

    async def _draw_one(self, request: ImageRequest) -> tuple[Output, Usage]:
        default = "Improve this image: light, colours and sharpness. Change nothing else."
        parts: list[dict[str, Any]] = [{"text": describe(request, default)}]
        if request.source is not None:
            parts.insert(0, put_inline(request.source))
        config = {
            "aspectRatio": _ratio(request.width, request.height),
            "imageSize": _image_size(request.width, request.height),
        }
        body = {
            "contents": [{"role": "user", "parts": parts}],
            "generationConfig": {"responseModalities": ["IMAGE"], "imageConfig": config},
            "store": False,
        }
        url = self._address(request.model, "generateContent")
        answer = await call(self._http, "POST", url, headers=self._headers, json=body, timeout=request.timeout)
        refusal = find_refusal(answer)
        if refusal is not None:
            raise refusal
        for part in items(dig(answer, "candidates", 0, "content", "parts")):
            if dig(part, "inlineData", "data") and not dig(part, "thought"):
                return image_output(decode(dig(part, "inlineData", "data"))), read_usage(answer) or Usage()
        raise Unavailable(f"no image; finished with {str(dig(answer, 'candidates', 0, 'finishReason'))[:40]}")


def _text_body(request: TextRequest) -> dict[str, Any]:
    config = {"maxOutputTokens": request.max_tokens, "thinkingConfig": {"thinkingLevel": THINKING_LEVEL}}
    body: dict[str, Any] = {
        "contents": [
            {
                "role": "model" if message.role == "assistant" else "user",
                "parts": [*map(put_inline, message.images), {"text": message.content}],
            }
            for message in request.messages
        ],
        "generationConfig": config,
        "store": False,
    }
    if request.system:
        body["systemInstruction"] = {"parts": [{"text": request.system}]}
    return body


def _check_video(request: VideoRequest) -> None:
    if request.operation == "video.talking_photo" and (request.photo is None or not request.script):
        raise Rejected("a talking photo needs a photo and a script", "bad_input")
    if request.operation == "video.text" and not request.prompt:
        raise Rejected("a video needs a prompt", "bad_input")


def _ratio(width: int, height: int) -> str:
    """The supported aspect ratio nearest to the requested one."""

    def distance(ratio: str) -> float:
        across, down = map(int, ratio.split(":"))
        return abs(math.log(width / height) - math.log(across / down))

    return min(RATIOS, key=distance)


def _image_size(width: int, height: int) -> str:
    """The smallest supported size with about the requested number of pixels, or more."""
    pixels = width * height
    return "1K" if pixels <= 1_200_000 else "2K" if pixels <= 5_000_000 else "4K"
