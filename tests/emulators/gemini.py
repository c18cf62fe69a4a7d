"""Google's Gemini REST as of late 2026: generateContent, its stream, Interactions with video jobs, files."""

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.emulators.base import FAILURES, MODE, WRONG_USAGE, Emulator, Job, main, mp4, png

ERRORS = {
    "bad_request": ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    "unauthorized": ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    "forbidden": ("PERMISSION_DENIED", "The caller does not have permission."),
    "unknown_model": ("NOT_FOUND", "models/x is not found for API version v1beta."),
    "too_long": ("INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
    "policy": ("INVALID_ARGUMENT", "The request was blocked by the safety filters."),
    "rate_limited": ("RESOURCE_EXHAUSTED", "You exceeded your current quota."),
    "error": ("INTERNAL", "An internal error has occurred."),
    "overloaded": ("UNAVAILABLE", "The model is overloaded."),
    "timeout": ("DEADLINE_EXCEEDED", "The deadline expired."),
}
LONG_SIDE = {"1K": 1024, "2K": 2048, "4K": 4096}


@dataclass(kw_only=True)
class GeminiEmulator(Emulator):
    """Its API is at `url`. A video job is queued, then in progress, then completed after `job_seconds`."""

    incoming: str = "uri"
    file_seconds: float = 0.0
    """How long a finished file is still being processed."""

    def routes(self) -> list[web.RouteDef]:
        version = "/{version:v1|v1beta}"
        model = version + "/models/{model:[^:/]+}"
        return [
            web.post(f"{model}:generateContent", self._generate),
            web.post(f"{model}:streamGenerateContent", self._stream),
            web.get(version + "/models", self._models),
            web.post(version + "/interactions", self._start),
            web.get(version + "/interactions/{id}", self._look),
            web.delete(version + "/interactions/{id}", self._delete),
            web.post(version + "/interactions/{id}/cancel", self._cancel),
            web.get(version + "/files/{id:[^:/]+}", self._file),
            web.get(version + "/files/{id:[^:/]+}:download", self._download),
        ]

    def error(self, mode: str, status: int) -> tuple[dict[str, str], Any]:
        word, message = ERRORS[mode]
        details = []
        if mode == "rate_limited" and self.retry_after:
            details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{self.retry_after}s"})
        if mode == "unauthorized":
            details.append(
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED"}
            )
        return {}, {"error": {"code": status, "message": message, "status": word, "details": details}}

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"models": [{"name": "models/gemini-flash"}, {"name": "models/gemini-pro"}]})

    # Text and images

    async def _generate(self, request: web.Request) -> web.Response:
        asked = await request.json()
        config = asked.get("generationConfig", {})
        mode = request[MODE]
        if mode == "refusal":
            return web.json_response(_refusal(request.match_info["model"]))
        drawing = "IMAGE" in config.get("responseModalities", [])
        parts: list[dict[str, Any]] = [{"text": "".join(self.reply)}]
        if drawing and mode != "text_for_image":
            image = config.get("imageConfig", {})
            across, down = map(int, image.get("aspectRatio", "1:1").split(":"))
            side = LONG_SIDE[image.get("imageSize", "1K")]
            data = png(side * across // max(across, down), side * down // max(across, down))
            parts = [{"inlineData": {"mimeType": "image/png", "data": base64.b64encode(data).decode()}}]
        if mode in {"empty", "ends_early"}:
            parts = []
        answer = _answer(request.match_info["model"], parts, "STOP")
        return web.json_response({**answer, "usageMetadata": self._usage(mode, 1120 if drawing else len(self.reply))})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        mode, model = request[MODE], request.match_info["model"]
        if mode == "refusal":
            return await self.send_events(request, [], [_sse(_refusal(model))], b"")
        words = () if mode == "empty" else self.reply
        last = {**_answer(model, [{"text": ""}], "STOP"), "usageMetadata": self._usage(mode, len(words))}
        failed = _sse(self.error("overloaded", FAILURES["overloaded"])[1])
        return await self.send_events(request, self._pieces(model, words), [_sse(last)], failed)

    def _pieces(self, model: str, words: Any) -> list[bytes]:
        known = getattr(self, "_prepared", None)
        if known is None or known[0] != (model, words):  # streams by the hundred must cost next to nothing
            thought = _sse(_answer(model, [{"text": "I should be brief.", "thought": True}], None))
            said = (  # Google says with every piece what was used so far
                _sse({**_answer(model, [{"text": word}], None), "usageMetadata": self._usage("", number)})
                for number, word in enumerate(words, 1)
            )
            known = ((model, words), [thought, *said])
            self._prepared = known
        return known[1]

    def _usage(self, mode: str, output: int) -> dict[str, Any]:
        usage = {"promptTokenCount": 11, "candidatesTokenCount": output, "thoughtsTokenCount": 5}
        if mode == "wrong_usage":
            return dict(zip(usage, WRONG_USAGE, strict=True))
        return {**usage, "totalTokenCount": 16 + output}

    # Video

    async def _start(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if asked.get("background") and asked.get("store") is False:
            return self._interactions_error(400, "invalid_request", "store=false is incompatible with background=true.")
        if [step.get("type") for step in asked["input"]] != ["user_input"] or not asked["input"][0].get("content"):
            return self._interactions_error(400, "invalid_request", "The input holds nothing of the user.")
        key = request.headers.get("Idempotency-Key", "")
        job = self.start_job(key, asked["model"], request[MODE])
        return web.json_response(self._shape(job, request[MODE]))

    async def _look(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if job is None:
            return self._interactions_error(404, "not_found", "No such interaction.")
        return web.json_response(self._shape(job, request[MODE]))

    async def _delete(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if job is None:
            return self._interactions_error(404, "not_found", "No such interaction.")
        job.deleted = True
        return web.json_response({})

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if job is None:
            return self._interactions_error(404, "not_found", "No such interaction.")
        if self._status(job) not in {"queued", "in_progress"}:
            return self._interactions_error(400, "failed_precondition", "The interaction is not running.")
        job.cancelled = True
        return web.json_response(self._shape(job, ""))

    def _job(self, request: web.Request) -> Job | None:
        return next((job for job in self.jobs if job.id == request.match_info["id"] and not job.deleted), None)

    def _status(self, job: Job) -> str:
        if job.cancelled:
            return "cancelled"
        share = (asyncio.get_running_loop().time() - job.started) / max(self.job_seconds, 1e-9)
        if share < 1:
            return "queued" if share < 0.2 else "in_progress"
        return "failed" if job.ends != "completed" else "completed"

    def _shape(self, job: Job, mode: str) -> dict[str, Any]:
        status = self._status(job)
        stamp = "2026-11-20T12:00:00Z"
        shape: dict[str, Any] = {
            "id": job.id, "object": "interaction", "model": job.model, "status": status, "created": stamp,
            "updated": stamp, "steps": [],
        }  # fmt: skip
        if status == "failed":
            refused = job.ends == "refused"
            code, said = ("safety", "Blocked by the safety filters.") if refused else ("internal", "It broke.")
            shape["errors"] = [{"code": code, "message": said}]
        if status == "completed":
            video: dict[str, Any] = {"type": "video", "mime_type": "video/mp4"}
            if self.incoming == "uri":
                video["uri"] = f"https://generativelanguage.googleapis.com/v1beta/files/{job.id}:download?alt=media"
            else:
                video["data"] = base64.b64encode(mp4()).decode()
            content = [{"type": "text", "text": "No."}] if mode in {"empty", "text_for_image"} else [video]
            shape["steps"] = [{"type": "model_output", "content": content}]
            used = WRONG_USAGE if mode == "wrong_usage" else (258, 5792, 6050)
            names = ("total_input_tokens", "total_output_tokens", "total_tokens")
            shape["usage"] = dict(zip(names, used, strict=True))
        return shape

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        job = next((job for job in self.jobs if job.id == name), None)
        if job is None:
            return web.json_response(self.error("unknown_model", 404)[1], status=404)
        done = job.started + self.job_seconds + self.file_seconds
        state = "ACTIVE" if asyncio.get_running_loop().time() >= done else "PROCESSING"
        shape = {"name": f"files/{name}", "mimeType": "video/mp4", "sizeBytes": str(len(mp4())), "state": state}
        return web.json_response({**shape, "uri": f"{self.url}/v1beta/files/{name}", "source": "GENERATED"})

    async def _download(self, request: web.Request) -> web.Response:
        if request.query.get("alt") != "media" or not any(job.id == request.match_info["id"] for job in self.jobs):
            return web.json_response(self.error("unknown_model", 404)[1], status=404)
        return web.Response(body=b"" if request[MODE] == "empty" else mp4(), content_type="video/mp4")

    def _interactions_error(self, status: int, code: str, message: str) -> web.Response:
        return web.json_response({"error": {"code": code, "message": message}}, status=status)


def _answer(model: str, parts: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": model, "responseId": "r-1"}


def _refusal(model: str) -> dict[str, Any]:
    return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "modelVersion": model, "responseId": "r-1"}


def _sse(data: Any) -> bytes:
    return f"data: {json.dumps(data, separators=(',', ':'))}\r\n\r\n".encode()


if __name__ == "__main__":
    main(GeminiEmulator)
