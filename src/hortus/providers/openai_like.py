"""OpenAI, and every server with a compatible API: Ollama, vLLM, llama.cpp, LocalAI, gateways.

Settings: OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_TEXT_MODEL (or OPENAI_MODEL),
OPENAI_IMAGE_MODEL, OPENAI_IDLE_TIMEOUT in seconds.
"""

import asyncio
import base64
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from hortus.core.configuration import Secret, SettingsGroup, Text, WebAddress
from hortus.core.http import form as new_form
from hortus.providers import download
from hortus.providers.base import (
    ChatMessage,
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
)
from hortus.providers.http_helpers import (
    STREAM_END,
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

OPENAI = "https://api.openai.com/v1"
ONLY_AT_OPENAI = ("gpt-", "sora-")
MAX_IMAGE_BYTES = 64 * 1024 * 1024


class OpenAISettings(SettingsGroup):
    """A key for OpenAI, the address of a server of your own, or both."""

    model_config = SettingsConfigDict(env_prefix="OPENAI_")
    heading: ClassVar[str] = "OpenAI and compatible servers"

    api_key: Secret = SecretStr("")
    """A key of OpenAI, or of the server at OPENAI_BASE_URL if it wants one."""
    base_url: Annotated[WebAddress, AfterValidator(lambda value: value.rstrip("/"))] = OPENAI
    """The address of a server of your own, such as http://127.0.0.1:11434/v1."""
    model: Text = ""
    """The model for texts; OPENAI_TEXT_MODEL comes first."""
    text_model: Text = ""
    """The model for texts; the first that the server lists when unset."""
    image_model: Text = ""
    """The model for images."""
    idle_timeout: float = Field(30.0, gt=0, le=600)
    """Seconds without data after which a stream counts as broken."""


class Adapter:
    """`default` is the operator's text model (else the first the server lists), `default-image` the one for images.

    Other names go to the server as they are; OpenAI's own names only to OpenAI, unless they are set.
    """

    id: ClassVar[str] = "openai_like"
    title: ClassVar[str] = "OpenAI and compatible"
    operations: ClassVar[frozenset[Operation]] = frozenset({"text", "chat", "image.generate", "image.restyle"})
    Settings: ClassVar[type[SettingsGroup]] = OpenAISettings

    def __init__(self, context: Context) -> None:
        self._http = context.http
        self._settings = OpenAISettings()
        self._at_openai = self._settings.base_url == OPENAI
        self._text_model = self._settings.text_model or self._settings.model
        self._first_model: str | None = None
        self._listing = asyncio.Lock()

    def missing(self) -> str | None:
        """None with a key, or with an address other than OpenAI's."""
        if self._at_openai and not self._settings.api_key.get_secret_value():
            return "Set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own."
        # A server of your own accepts any key; examples for such servers use "EMPTY" or "sk-xxxx".
        return self._settings.placeholder() if self._at_openai else None

    def serves(self, model: str) -> bool:
        """`default` needs a text model or an own server, `default-image` an image model; see above for names."""
        if self.missing() is not None:
            return False
        if model == "default":
            return bool(self._text_model) or not self._at_openai
        if model == "default-image":
            return bool(self._settings.image_model)
        if self._at_openai or model in {self._text_model, self._settings.image_model}:
            return True
        return not model.startswith(ONLY_AT_OPENAI)

    def generate(self, request: Request) -> AsyncGenerator[Event, None]:
        """Deltas of a text, or images."""
        return deliver(self._generate(request), request.timeout)

    async def _generate(self, request: Request) -> AsyncGenerator[Event, None]:
        missing = self.missing()
        if missing is not None:
            raise NotConfigured(missing)
        model = await self._resolve(request)
        if isinstance(request, TextRequest) and request.operation in self.operations:
            work = self._write(request, model)
        elif isinstance(request, ImageRequest) and request.operation in self.operations:
            work = self._draw(request, model)
        else:
            raise Unsupported(f"{self.id} does not support {request.operation}")
        async with aclosing(work):
            async for event in work:
                yield event

    async def _resolve(self, request: Request) -> str:
        drawing = isinstance(request, ImageRequest)
        if request.model not in {"default", "default-image"}:
            return request.model
        if drawing and self._settings.image_model:
            return self._settings.image_model
        if not drawing and self._text_model:
            return self._text_model
        async with self._listing:
            if self._first_model is None:
                url = f"{self._settings.base_url}/models"
                listed = await call(self._http, "GET", url, headers=self._headers(), timeout=request.timeout)
                name = dig(listed, "data", 0, "id")
                if not isinstance(name, str) or not name:
                    raise NotConfigured("the server lists no model; load one, or set OPENAI_MODEL")
                self._first_model = name
            return self._first_model

    async def check(self) -> str:
        """Request the list of models, which is free of charge."""
        answer = await get_json(self._http, f"{self._settings.base_url}/models", self._headers())
        return f"the key is accepted; {len(items(dig(answer, 'data')))} models"

    def _headers(self, idempotency_key: str | None = None) -> dict[str, str]:
        headers = {}
        key = self._settings.api_key.get_secret_value()
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return headers

    # Text

    async def _write(self, request: TextRequest, model: str) -> AsyncGenerator[Event, None]:
        body = {
            "model": model,
            "messages": [
                *([{"role": "system", "content": request.system}] if request.system else []),
                *(_message(message) for message in request.messages),
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self._at_openai:
            body |= {"max_completion_tokens": request.max_tokens, "store": False}
        else:  # other servers support the older name only
            body["max_tokens"] = request.max_tokens
        answer = _Answer()
        events = stream(
            self._http,
            f"{self._settings.base_url}/chat/completions",
            headers=self._headers(request.id),
            json=body,
            timeout=request.timeout,
            idle_timeout=self._settings.idle_timeout,
        )
        async with aclosing(events):
            async for piece in events:
                answer.reported = False
                text = "".join([answer.take(data) for data in piece])
                if text:  # OpenAI reports usage at the end; some servers with every piece
                    yield Delta(text, answer.usage if answer.reported else None)
        yield answer.end()

    # Images

    async def _draw(self, request: ImageRequest, model: str) -> AsyncGenerator[Event, None]:
        if request.operation == "image.restyle" and request.source is None:
            raise Rejected("restyling needs a source image", "bad_input")
        made, used = 0, Usage()
        while made < request.count:  # a server may ignore `n`: request the rest
            answer = await self._request_images(request, model, made)
            images = items(dig(answer, "data"))
            if not images:
                raise Unavailable("no image")
            for entry in images[: request.count - made]:
                yield await self._take(entry, request.timeout)
                made += 1
            used = Usage(
                input_tokens=count(used.input_tokens + count(dig(answer, "usage", "input_tokens"))),
                output_tokens=count(used.output_tokens + count(dig(answer, "usage", "output_tokens"))),
                images=made,
            )
        yield Done(used)

    async def _request_images(self, request: ImageRequest, model: str, made: int) -> Any:
        fields: dict[str, Any] = {
            "model": model,
            "prompt": describe(request, "Keep the image as it is."),
            "n": request.count - made,
            "size": _size(request, free=not self._at_openai),
        }
        if not self._at_openai:  # OpenAI's own models always send base64 and refuse the field
            fields["response_format"] = "b64_json"
        sent: dict[str, Any] = {"json": fields}
        path = "images/generations"
        if request.source is not None:
            path = "images/edits"
            form = new_form()
            for name, value in fields.items():
                form.add_field(name, str(value))
            ending = request.source.mime_type.rpartition("/")[2]
            form.add_field(
                "image", request.source.data, filename=f"image.{ending}", content_type=request.source.mime_type
            )
            sent = {"body": form}
        key = f"{request.id}-{made}" if made else request.id
        url = f"{self._settings.base_url}/{path}"
        return await call(self._http, "POST", url, headers=self._headers(key), timeout=request.timeout, **sent)

    async def _take(self, entry: Any, timeout: float) -> Output:
        url = dig(entry, "url")
        if not isinstance(url, str) or dig(entry, "b64_json"):
            return image_output(decode(dig(entry, "b64_json")))
        trusted = {self._settings.base_url: self._headers()}
        return image_output(await download.read(self._http, url, trusted, timeout=timeout, max_bytes=MAX_IMAGE_BYTES))


@dataclass(slots=True)
class _Answer:
    """The state of a streamed response, without its text."""

    usage: Usage = field(default_factory=Usage)
    reported: bool = False
    finish: str | None = None
    refusal: str = ""
    wrote: bool = False
    ended: bool = False

    def take(self, data: str) -> str:
        """The text of one event; raises the error that it contains."""
        if data == STREAM_END:
            self.ended = True
            return ""
        chunk = parse(data)
        error = embedded(chunk)
        if error is not None:
            raise error
        if used := dig(chunk, "usage"):
            read, written = dig(used, "prompt_tokens"), dig(used, "completion_tokens")
            self.usage = Usage(input_tokens=count(read), output_tokens=count(written))
            self.reported = True
        choice = dig(chunk, "choices", 0)
        self.finish = dig(choice, "finish_reason") or self.finish
        delta = dig(choice, "delta")
        self.refusal += str(dig(delta, "refusal") or "")
        text = dig(delta, "content")
        if not isinstance(text, str) or not text:
            return ""
        self.wrote = True
        return text

    def end(self) -> Done:
        """The last event; raises the error of a response without text."""
        if self.finish == "content_filter" or (self.refusal and not self.wrote):
            raise Rejected(f"refused: {self.refusal[:200] or self.finish}", "policy")
        if self.finish is None and not self.ended:
            raise Unavailable("the stream was cut")
        if not self.wrote:
            raise Unavailable(f"no text; finished with {self.finish}")
        return Done(self.usage, "length" if self.finish == "length" else "stop")


def _message(message: ChatMessage) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.content}
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.content}]
    for image in message.images:
        url = f"data:{image.mime_type};base64,{base64.b64encode(image.data).decode()}"
        parts.append({"type": "image_url", "image_url": {"url": url}})
    return {"role": message.role, "content": parts}


def _size(request: ImageRequest, *, free: bool) -> str:
    """The requested size on a server of your own; at OpenAI the nearest supported size of the same shape."""
    width, height = request.width, request.height
    if free:
        return f"{width}x{height}"
    ratio = min(3.0, max(1 / 3, width / height))
    pixels = min(2560 * 1440, max(1024 * 640, width * height))
    wide = math.sqrt(pixels * ratio)
    return "x".join(str(math.ceil(round(side, 3) / 16) * 16) for side in (wide, wide / ratio))
