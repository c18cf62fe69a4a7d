"""Video by Gemini's Interactions API: background jobs and the files of their results."""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hortus.core.http import Http, HttpError
from hortus.providers import download
from hortus.providers.base import (
    Done,
    Event,
    JobStarted,
    Output,
    Progress,
    ProviderError,
    RateLimited,
    Rejected,
    Unavailable,
    Unsupported,
    Usage,
    VideoRequest,
)
from hortus.providers.http_helpers import call, count, decode, dig, items, violates_policy

MAX_VIDEO = 512 * 1024 * 1024
MAX_FAILED_POLLS = 8
"""The number of consecutive failed polls after which a running, paid job is given up."""

SLOWEST_POLL = 10.0
ONE_CALL = 30.0
_ENDED_BADLY = {"failed", "cancelled", "incomplete", "budget_exceeded", "requires_action", "requires_continuation"}


class Interactions:
    """Video jobs at `base` (an address that ends in the API's version), polled every `pace` seconds."""

    def __init__(self, http: Http, base: str, headers: Mapping[str, str], pace: float) -> None:
        self._http = http
        self._base = base
        self._headers = headers
        self._pace = pace

    async def run(self, request: VideoRequest) -> AsyncGenerator[Event, None]:
        """Start a job and follow it to its end."""
        # The vendor refuses background=true together with store=false, so it is deleted afterwards instead.
        body = {
            "model": request.model,
            "background": True,
            "input": [{"type": "user_input", "content": list(_content(request))}],
            "response_format": _format(request),
            "generation_config": {
                "video_config": {"task": "text_to_video" if request.photo is None else "image_to_video"}
            },
        }
        headers = {**self._headers, "Idempotency-Key": request.id}
        job = await call(
            self._http, "POST", f"{self._base}/interactions", headers=headers, json=body, timeout=request.timeout
        )
        handle = dig(job, "id")
        if not isinstance(handle, str) or not handle:
            raise Unavailable("the job has no id")
        yield JobStarted(handle)
        async with aclosing(self.follow(handle, request)) as events:
            async for event in events:
                yield event

    async def follow(self, handle: str, request: VideoRequest) -> AsyncGenerator[Event, None]:
        """Wait for a job and fetch its video into the request's workdir. The job stays at the vendor."""
        url = self._job(handle)
        reported = ""
        while True:
            job = await self._poll(f"{url}?stream=false", request.timeout)
            status = str(dig(job, "status"))
            if status == "completed":
                break
            if status in _ENDED_BADLY:
                await self._delete_quietly(handle)
                raise _failure(job, status)
            if status not in {"queued", "in_progress"}:
                raise Unavailable(f"a job is {status[:40]!r}")
            if status != reported:
                yield Progress(0 if status == "queued" else 10)
                reported = status
            await asyncio.sleep(self._pace)
        yield Progress(90)
        video = next(_videos(job), None)
        if video is None:
            await self._delete_quietly(handle)
            raise _failure(job, "without a video")
        path = request.workdir / "video.mp4"
        await self._fetch(video, path, request.timeout)
        yield Output(path, str(dig(video, "mime_type") or "video/mp4"))
        usage = dig(job, "usage")
        yield Done(
            Usage(
                input_tokens=count(dig(usage, "total_input_tokens")),
                output_tokens=count(
                    count(dig(usage, "total_output_tokens")) + count(dig(usage, "total_thought_tokens"))
                ),
                seconds=float(request.duration_s),
            )
        )

    async def cancel(self, handle: str) -> None:
        """Stop a job and delete it at the vendor."""
        options = {"headers": self._headers, "timeout": ONE_CALL}
        try:
            await call(self._http, "POST", f"{self._job(handle)}/cancel", **options)
        except HttpError as error:
            raise Unavailable(f"not cancelled: {error}") from error
        except (Unsupported, Rejected):
            pass  # unknown, or ended already
        except Unavailable as error:
            if not error.detail.startswith("409"):  # ended already
                raise
        await self._delete_quietly(handle)

    def _job(self, handle: str) -> str:
        return f"{self._base}/interactions/{quote(handle, safe='')}"

    async def _poll(self, url: str, timeout: float) -> Any:
        """The state of a job. Retries failed requests, because the job continues at the vendor."""
        for attempt in range(1, MAX_FAILED_POLLS + 1):
            try:
                return await call(self._http, "GET", url, headers=self._headers, timeout=min(ONE_CALL, timeout))
            except Unsupported as error:
                raise Unavailable(f"the job or its video no longer exists: {error.detail}") from error
            except (Unavailable, RateLimited, HttpError) as error:
                if attempt == MAX_FAILED_POLLS:
                    raise
                wait = self._pace * 1.5**attempt
                if isinstance(error, RateLimited) and error.retry_after is not None:
                    wait = error.retry_after
                await asyncio.sleep(min(SLOWEST_POLL, wait))
        raise AssertionError

    async def _fetch(self, video: Any, path: Path, timeout: float) -> None:
        uri = dig(video, "uri")
        if not isinstance(uri, str) or not uri:
            size = await asyncio.to_thread(path.write_bytes, decode(dig(video, "data")))
        else:
            found = re.search(r"/files/([A-Za-z0-9_-]{1,128})(?=$|[:?/])", uri)
            if found:  # the address is built here: only the configured host receives the key
                uri = await self._ready(f"{self._base}/files/{found[1]}", timeout)
            trusted = {self._base: self._headers}
            size = await download.save(self._http, uri, trusted, path, timeout=timeout, max_bytes=MAX_VIDEO)
        if size == 0:
            raise Unavailable("the video is empty")

    async def _ready(self, file: str, timeout: float) -> str:
        while True:
            state = dig(await self._poll(file, timeout), "state")
            if state == "FAILED":
                raise Unavailable("the video could not be processed")
            if state != "PROCESSING":
                return f"{file}:download?alt=media"
            await asyncio.sleep(self._pace)

    async def delete_result(self, handle: str) -> None:
        """Delete the job at the vendor; an unknown job is no error."""
        try:
            await call(self._http, "DELETE", self._job(handle), headers=self._headers, timeout=ONE_CALL)
        except (Unsupported, Rejected):
            pass
        except HttpError as error:
            raise Unavailable(f"not deleted: {error}") from error

    async def _delete_quietly(self, handle: str) -> None:
        """Delete a job without a result. A failure here must not hide how the job ended."""
        with suppress(ProviderError, HttpError):
            await self.delete_result(handle)


def _content(request: VideoRequest) -> Iterator[dict[str, str]]:
    if request.photo is not None:
        data = base64.b64encode(request.photo.data).decode()
        yield {"type": "image", "data": data, "mime_type": request.photo.mime_type}
    lines = [request.prompt or ""]
    if request.script is not None:
        lines.append("The person in the image looks into the camera and talks. The camera does not move.")
        lines.append(f"Language: {request.language}." + (f" Voice: {request.voice}." if request.voice else ""))
        lines.append(f'They say exactly this: "{request.script}"')
    yield {"type": "text", "text": "\n".join(line for line in lines if line)}


def _format(request: VideoRequest) -> dict[str, str]:
    if request.aspect_ratio == "1:1":
        raise Unsupported("no square videos")
    return {
        "type": "video",
        "aspect_ratio": request.aspect_ratio,
        "duration": f"{request.duration_s}s",
        "delivery": "uri",  # inline ends at 4 MB
    }


def _videos(job: Any) -> Iterator[Any]:
    for step in items(dig(job, "steps")):
        if dig(step, "type") == "model_output":
            yield from (part for part in items(dig(step, "content")) if dig(part, "type") == "video")
    if dig(job, "output_video"):
        yield dig(job, "output_video")


def _failure(job: Any, status: str) -> ProviderError:
    """The error of a job that ended without a video."""
    faults = [*items(dig(job, "errors")), *(dig(step, "error") for step in items(dig(job, "steps")))]
    words = " ".join(str(dig(fault, "code")) for fault in faults if fault)
    message = " ".join(str(dig(fault, "message")) for fault in faults if fault)
    detail = f"the job ended {status}: {words} {message}"[:300]
    return Rejected(detail, "policy") if violates_policy(words, message) else Unavailable(detail)
