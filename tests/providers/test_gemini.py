"""The Gemini adapter, and its emulator as Google's own SDK sees it."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from PIL import Image
from tests.emulators.base import mp4
from tests.emulators.gemini import GeminiEmulator
from tests.providers import ask

from hortus.core.http import Http
from hortus.providers import (
    Context,
    Done,
    JobStarted,
    KeyRefused,
    Progress,
    RateLimited,
    Rejected,
    Unavailable,
    Unsupported,
    Usage,
    gemini,
)

TEXT, DRAW, VIDEO = "gemini-3.8-flash", "gemini-nano-banana-2.1", "gemini-omni-1.2-flash"


@pytest.fixture
async def emulator() -> AsyncIterator[GeminiEmulator]:
    async with GeminiEmulator() as running:
        yield running


@pytest.fixture
async def adapter(
    emulator: GeminiEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[gemini.Adapter]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.setenv("GOOGLE_API_KEY", "x")
    monkeypatch.setenv("GEMINI_BASE_URL", f"{emulator.url}/v1beta/")
    monkeypatch.setenv("GEMINI_POLL_SECONDS", "0.02")
    async with Http() as http:
        yield gemini.Adapter(Context(http, tmp_path))


# The emulator speaks the real language

of_the_sdk = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


@pytest.fixture
async def sdk(emulator: GeminiEmulator):
    from google import genai
    from google.genai import types

    retries = types.HttpRetryOptions(attempts=1)
    client = genai.Client(api_key="x", http_options=types.HttpOptions(base_url=emulator.url, retry_options=retries))
    async with client.aio as opened:
        yield opened


@of_the_sdk
async def test_the_sdk_reads_texts(sdk, emulator) -> None:
    from google.genai import types

    config = types.GenerateContentConfig(store=False, max_output_tokens=64)
    whole = await sdk.models.generate_content(model=TEXT, contents="Hello", config=config)
    assert whole.text == "".join(emulator.reply)
    sent = emulator.calls[-1].json
    assert sent["store"] is False
    assert sent["generationConfig"] == {"maxOutputTokens": 64}

    pieces = [piece async for piece in await sdk.models.generate_content_stream(model=TEXT, contents="Hello")]
    assert "".join(piece.text or "" for piece in pieces) == "".join(emulator.reply)
    assert pieces[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert pieces[-1].usage_metadata.thoughts_token_count == 5


@of_the_sdk
async def test_the_sdk_reads_images(sdk, emulator) -> None:
    from google.genai import types

    config = types.GenerateContentConfig(
        response_modalities=["IMAGE"], image_config=types.ImageConfig(aspect_ratio="16:9", image_size="2K")
    )
    made = await sdk.models.generate_content(model=DRAW, contents="A pond", config=config)
    data = made.candidates[0].content.parts[0].inline_data
    assert Image.open(io.BytesIO(data.data)).size == (2048, 1152)
    sent = emulator.calls[-1].json["generationConfig"]
    assert sent == {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"}}


@of_the_sdk
async def test_the_sdk_reads_failures(sdk, emulator) -> None:
    from google.genai import errors

    for mode, status in (("bad_request", 400), ("rate_limited", 429), ("overloaded", 503)):
        emulator.fail(mode, times=1)
        with pytest.raises(errors.APIError) as caught:
            await sdk.models.generate_content(model=TEXT, contents="Hello")
        assert caught.value.code == status


@of_the_sdk
async def test_the_sdk_reads_video_jobs(sdk, emulator) -> None:
    emulator.job_seconds = 0.1
    asked = {
        "model": VIDEO,
        "input": [{"type": "text", "text": "a pond"}],
        "response_format": {"type": "video", "aspect_ratio": "16:9", "duration": "4s", "delivery": "uri"},
        "generation_config": {"video_config": {"task": "text_to_video"}},
        "background": True,
    }
    job = await sdk.interactions.create(**asked)
    assert job.status == "queued"
    await asyncio.sleep(0.12)
    job = await sdk.interactions.get(job.id)
    assert job.status == "completed"
    video = job.steps[0].content[0]
    assert (video.type, video.mime_type) == ("video", "video/mp4")
    assert job.usage.total_output_tokens == 5792
    file = await sdk.files.get(name=f"files/{job.id}")
    assert file.state.name == "ACTIVE"
    assert await sdk.files.download(file=f"files/{job.id}") == mp4()

    emulator.job_seconds = 60
    other = await sdk.interactions.create(**asked)
    assert (await sdk.interactions.cancel(other.id)).status == "cancelled"
    await sdk.interactions.delete(other.id)
    with pytest.raises(Exception, match="No such interaction"):
        await sdk.interactions.get(other.id)
    with pytest.raises(Exception, match="incompatible"):
        await sdk.interactions.create(**asked, store=False)


# Text and images


async def test_nothing_is_stored_and_thoughts_are_not_said(adapter, emulator, tmp_path) -> None:
    events = await ask.collect(adapter.generate(ask.text(TEXT, tmp_path, max_tokens=99, system="Be brief.")))
    sent = emulator.calls[-1]
    assert sent.json["store"] is False
    assert sent.json["generationConfig"]["maxOutputTokens"] == 99
    assert sent.json["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert sent.headers["x-goog-api-key"] == "x"
    assert "key=" not in sent.path
    assert "I should be brief." not in ask.words(events)
    assert events[-1] == Done(Usage(input_tokens=11, output_tokens=len(emulator.reply) + 5))


@pytest.mark.parametrize(
    ("width", "height", "ratio", "size"),
    [
        (1024, 1024, "1:1", "1K"),
        (1920, 1080, "16:9", "2K"),
        (1080, 1920, "9:16", "2K"),
        (3840, 2160, "16:9", "4K"),
        (800, 600, "4:3", "1K"),
    ],
)
async def test_shapes(adapter, emulator, tmp_path, width: int, height: int, ratio: str, size: str) -> None:
    await ask.collect(adapter.generate(ask.image(DRAW, tmp_path, width=width, height=height)))
    sent = emulator.calls[-1].json
    assert sent["generationConfig"]["imageConfig"] == {"aspectRatio": ratio, "imageSize": size}
    assert sent["store"] is False


async def test_several_images_are_drawn_side_by_side(adapter, emulator, tmp_path) -> None:
    emulator.delay = 0.3
    async with asyncio.timeout(0.9):
        events = await ask.collect(adapter.generate(ask.image(DRAW, tmp_path, count=4)))
    assert len(ask.outputs(events)) == 4
    assert events[-1].usage == Usage(input_tokens=44, output_tokens=4500, images=4)


async def test_one_image_that_fails_ends_all(adapter, emulator, tmp_path) -> None:
    emulator.fail("policy", times=1)
    with pytest.raises(Rejected):
        await ask.collect(adapter.generate(ask.image(DRAW, tmp_path, count=3)))
    await ask.until(lambda: emulator.active == 0)


async def test_enhancing_needs_no_prompt_but_an_image(adapter, emulator, tmp_path) -> None:
    request = ask.image(DRAW, tmp_path, operation="image.enhance", prompt="", source=ask.PHOTO)
    assert ask.outputs(await ask.collect(adapter.generate(request)))
    parts = emulator.calls[-1].json["contents"][0]["parts"]
    assert parts[0]["inlineData"]["mimeType"] == "image/png"
    assert parts[1]["text"]
    with pytest.raises(Rejected):
        await ask.collect(adapter.generate(ask.image(DRAW, tmp_path, operation="image.enhance")))


async def test_a_wrong_key_is_no_bad_input(emulator) -> None:
    from hortus.providers.http_helpers import failure

    said = b'{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}'
    assert type(failure(400, {}, said)) is KeyRefused


# Video


async def test_a_talking_photo(adapter, emulator, tmp_path) -> None:
    request = ask.video(VIDEO, tmp_path, language="hi-IN", voice="warm", aspect_ratio="9:16", duration_s=8)
    events = await ask.collect(adapter.generate(request))

    assert events[0] == JobStarted("job-1")
    assert [event.percent for event in events if isinstance(event, Progress)] == [0, 10, 90]
    (output,) = ask.outputs(events)
    assert output.mime_type == "video/mp4"
    assert output.content.parent == tmp_path
    assert output.content.read_bytes() == mp4()
    assert events[-1] == Done(Usage(input_tokens=258, output_tokens=5792, seconds=8.0))

    sent = emulator.calls[0]
    assert sent.headers["Idempotency-Key"] == request.id
    assert sent.json["background"] is True
    assert sent.json["response_format"]["aspect_ratio"] == "9:16"
    assert sent.json["response_format"]["duration"] == "8s"
    photo, words = sent.json["input"][0]["content"]
    assert photo == {"type": "image", "mime_type": "image/png", "data": base64.b64encode(ask.PHOTO.data).decode()}
    assert '"Good morning."' in words["text"]
    assert emulator.bought() == {request.id: 1}
    assert not emulator.jobs[0].deleted  # a crash before our commit would lose a video that was paid for
    await adapter.delete_result(emulator.jobs[0].id)
    await adapter.delete_result(emulator.jobs[0].id)
    assert emulator.jobs[0].deleted


@pytest.mark.parametrize("delivery", ["uri", "inline"])
async def test_a_video_of_words(adapter, emulator, tmp_path, delivery: str) -> None:
    emulator.delivery = delivery
    emulator.file_seconds = 0.1
    request = ask.video(VIDEO, tmp_path, operation="video.text", photo=None, script=None, prompt="A pond at dawn.")
    events = await ask.collect(adapter.generate(request))
    assert ask.outputs(events)[0].content.read_bytes() == mp4()
    assert emulator.calls[0].json["generation_config"] == {"video_config": {"task": "text_to_video"}}


@pytest.mark.parametrize(
    ("mode", "error", "reason"),
    [
        ("bad_request", Rejected, "bad_input"),
        ("unauthorized", KeyRefused, None),
        ("unknown_model", Unsupported, None),
        ("rate_limited", RateLimited, None),
        ("error", Unavailable, None),
        ("hang", Unavailable, None),
        ("half_headers", Unavailable, None),
        ("garbage", Unavailable, None),
        ("cut", Unavailable, None),
        ("policy", Rejected, "policy"),
        ("job_failed", Unavailable, None),
        ("job_refused", Rejected, "policy"),
        ("text_for_image", Unavailable, None),
        ("empty", Unavailable, None),
    ],
)
async def test_every_failure_of_a_job_is_one_of_the_five(
    adapter, emulator, tmp_path, mode: str, error: type[Exception], reason: str | None
) -> None:
    emulator.job_seconds = 0.1
    emulator.fail(mode)
    with pytest.raises(error) as caught:
        await ask.collect(adapter.generate(ask.video(VIDEO, tmp_path, timeout=1.0)))
    assert type(caught.value) is error
    assert getattr(caught.value, "reason", None) == reason
    await ask.until(lambda: emulator.active == 0)
    assert len(emulator.jobs) <= 1


@pytest.mark.parametrize("mode", ["error", "overloaded", "half_headers", "garbage", "cut", "rate_limited"])
async def test_a_stumble_on_the_way_does_not_lose_the_job(adapter, emulator, tmp_path, mode: str) -> None:
    emulator.retry_after = "0"
    emulator.fail(mode, times=3, path="/interactions/")
    emulator.fail(mode, times=2, path="/files/job-1")
    events = await ask.collect(adapter.generate(ask.video(VIDEO, tmp_path)))
    assert ask.outputs(events)
    assert len(emulator.jobs) == 1


async def test_a_job_outlives_the_process_that_started_it(adapter, emulator, tmp_path) -> None:
    request = ask.video(VIDEO, tmp_path)
    async with aclosing(adapter.generate(request)) as events:
        started = await anext(events)
    assert isinstance(started, JobStarted)

    resumed = await ask.collect(adapter.poll(started.handle, request))

    assert ask.outputs(resumed)[0].content.read_bytes() == mp4()
    assert isinstance(resumed[-1], Done)
    assert emulator.bought() == {request.id: 1}


async def test_a_job_that_is_gone_is_unavailable(adapter, tmp_path) -> None:
    with pytest.raises(Unavailable):
        await ask.collect(adapter.poll("../files/x", ask.video(VIDEO, tmp_path)))


async def test_the_deadline_ends_a_long_job(adapter, emulator, tmp_path) -> None:
    emulator.job_seconds = 60
    with pytest.raises(Unavailable, match="in time"):
        await ask.collect(adapter.generate(ask.video(VIDEO, tmp_path, timeout=0.3)))
    assert not emulator.jobs[0].deleted


async def test_cancelling(adapter, emulator, tmp_path) -> None:
    emulator.job_seconds = 60
    async with aclosing(adapter.generate(ask.video(VIDEO, tmp_path))) as events:
        handle = (await anext(events)).handle
    await adapter.cancel(handle)
    assert emulator.jobs[0].cancelled
    await adapter.cancel(handle)
    await adapter.cancel("never-was")
    emulator.fail("error")
    with pytest.raises(Unavailable):
        await adapter.cancel(handle)


async def test_what_no_video_can_be_made_of(adapter, emulator, tmp_path) -> None:
    for changes in ({"photo": None}, {"script": ""}, {"operation": "video.text", "prompt": ""}):
        with pytest.raises(Rejected):
            await ask.collect(adapter.generate(ask.video(VIDEO, tmp_path, **changes)))
    with pytest.raises(Unsupported):
        await ask.collect(adapter.generate(ask.video(VIDEO, tmp_path, aspect_ratio="1:1")))
    assert emulator.calls == []
