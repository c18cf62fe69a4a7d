"""OpenAI's REST as of late 2026: models, chat completions, images made and edited."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.emulators.base import MODE, WRONG_USAGE, Emulator, main, png

ERRORS = {
    "bad_request": ("invalid_request_error", "invalid_value", "Invalid value for 'messages'."),
    "unauthorized": ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "forbidden": ("permission_error", None, "You have insufficient permissions for this operation."),
    "unknown_model": ("invalid_request_error", "model_not_found", "The model `x` does not exist."),
    "too_long": (
        "invalid_request_error",
        "context_length_exceeded",
        "The maximum context length is 8 tokens.",
    ),
    "policy": ("image_generation_user_error", "moderation_blocked", "Your request was rejected by the safety system."),
    "rate_limited": ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    "error": ("server_error", None, "The server had an error while processing your request."),
    "overloaded": ("server_error", None, "The engine is currently overloaded."),
    "timeout": ("timeout", None, "Request timed out."),
}


@dataclass(kw_only=True)
class OpenAIEmulator(Emulator):
    """Its API is at `url + "/v1"`. `models` is what it lists; `image_links` makes it answer URLs, not base64."""

    models: tuple[str, ...] = ("house-1", "house-2")
    image_links: bool = False
    ignores_n: bool = False

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/models", self._models),
            web.post("/v1/chat/completions", self._chat),
            web.post("/v1/images/generations", self._generate),
            web.post("/v1/images/edits", self._edit),
            web.get("/made/{size}.png", self._made),
        ]

    def error(self, mode: str, status: int) -> tuple[dict[str, str], Any]:
        kind, code, message = ERRORS[mode]
        headers = {"Retry-After": self.retry_after} if status == 429 and self.retry_after else {}
        return headers, {"error": {"message": message, "type": kind, "param": None, "code": code}}

    async def _models(self, _: web.Request) -> web.Response:
        data = [{"id": name, "object": "model", "created": 1790000000, "owned_by": "house"} for name in self.models]
        return web.json_response({"object": "list", "data": data})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        mode = request[MODE]
        usage = {"prompt_tokens": 11, "completion_tokens": len(self.reply), "total_tokens": 11 + len(self.reply)}
        if mode == "wrong_usage":
            usage = dict(zip(usage, WRONG_USAGE, strict=True))
        words = () if mode in {"refusal", "empty"} else self.reply
        finish = "content_filter" if mode == "refusal" else "length" if asked.get("max_tokens") == 3 else "stop"
        if not asked.get("stream"):
            message = {"role": "assistant", "content": "".join(words), "refusal": None}
            choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
            return web.json_response({**_head(asked["model"], "chat.completion"), "choices": [choice], "usage": usage})
        head = _head(asked["model"], "chat.completion.chunk")
        tail = [_event(head, {}, finish)]
        if asked.get("stream_options", {}).get("include_usage"):
            tail.append(_sse({**head, "choices": [], "usage": usage}))
        failed = _sse(self.error("overloaded", 503)[1])
        return await self.send_events(
            request, self._pieces(asked["model"], words), [*tail, b"data: [DONE]\n\n"], failed
        )

    def _pieces(self, model: str, words: Any) -> list[bytes]:
        known = getattr(self, "_prepared", None)
        if known is None or known[0] != (model, words):  # streams by the hundred must cost next to nothing
            head = _head(model, "chat.completion.chunk")
            first = _event(head, {"role": "assistant", "content": ""}, None)
            known = ((model, words), [first, *(_event(head, {"content": word}, None) for word in words)])
            self._prepared = known
        return known[1]

    async def _generate(self, request: web.Request) -> web.Response:
        return self._images(request, await request.json())

    async def _edit(self, request: web.Request) -> web.Response:
        form = await request.post()
        if not isinstance(form.get("image"), web.FileField):
            return web.json_response(self.error("bad_request", 400)[1], status=400)
        return self._images(request, form)

    def _images(self, request: web.Request, asked: Any) -> web.Response:
        mode = request[MODE]
        size = str(asked["size"])
        width, height = map(int, size.split("x"))
        number = 1 if self.ignores_n else int(asked.get("n", 1))
        data = b"I would rather talk about it." if mode == "text_for_image" else png(width, height)
        one = {"b64_json": base64.b64encode(data).decode()}
        if self.image_links:
            one = {"url": f"{self.url}/made/{size}.png"}
        usage = {"input_tokens": 9, "output_tokens": 1056 * number, "total_tokens": 9 + 1056 * number}
        if mode == "wrong_usage":
            usage = dict(zip(usage, WRONG_USAGE, strict=True))
        if mode == "refusal":
            return web.json_response(self.error("policy", 400)[1], status=400)
        made = [] if mode in {"empty", "ends_early"} else [one] * number
        return web.json_response({"created": 1790000000, "data": made, "usage": usage})

    async def _made(self, request: web.Request) -> web.Response:
        width, height = map(int, request.match_info["size"].split("x"))
        return web.Response(body=png(width, height), content_type="image/png")


def _head(model: str, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1790000000, "model": model}


def _event(head: dict[str, Any], delta: dict[str, Any], finish: str | None) -> bytes:
    return _sse({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None})


def _sse(data: Any) -> bytes:
    return f"data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


if __name__ == "__main__":
    main(OpenAIEmulator)


def openai_settings(emulator: OpenAIEmulator) -> dict[str, str]:
    """The settings that make this emulator the provider of texts and images."""
    return {
        "OPENAI_BASE_URL": f"{emulator.url}/v1",
        "OPENAI_API_KEY": "sk-emulated",
        "OPENAI_TEXT_MODEL": "house-writer",
        "OPENAI_IMAGE_MODEL": "house-painter",
    }
