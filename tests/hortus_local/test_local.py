"""The provider of this machine: real images, a photo that really speaks, and workers that are killed on cancellation."""

import asyncio
import io
import time
from contextlib import aclosing
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from PIL import Image

import hortus
from hortus.core.http import Http
from hortus.providers import (
    ChatMessage,
    Context,
    Delta,
    Done,
    ImageRequest,
    Media,
    Output,
    Progress,
    Rejected,
    TextRequest,
    Unavailable,
    VideoRequest,
)
from hortus_local import Adapter

PORTRAIT = Path(hortus.__file__).parent / "assets" / "portrait.png"
PHOTO = Media(PORTRAIT.read_bytes(), "image/png")


@pytest.fixture
async def adapter(tmp_path: Path):
    async with Http() as http:
        yield Adapter(Context(http, tmp_path))


def video(tmp_path: Path, **changes) -> VideoRequest:
    shared = {"id": "g", "model": "sketch-video", "timeout": 60.0, "workdir": tmp_path, "photo": PHOTO}
    return VideoRequest(**{**shared, "operation": "video.talking_photo", "aspect_ratio": "1:1", **changes})


def text(prompt: str, *before: tuple[str, str], max_tokens: int = 500) -> TextRequest:
    messages_before = [ChatMessage(role, content) for role, content in before]
    return TextRequest(
        id="g", model="sketch-text", timeout=5, workdir=Path(), operation="chat",
        messages=(*messages_before, ChatMessage("user", prompt)), max_tokens=max_tokens,
    )  # fmt: skip


async def run(adapter: Adapter, request) -> list:
    return [event async for event in adapter.generate(request)]


async def written(adapter: Adapter, request) -> str:
    return "".join(event.text for event in await run(adapter, request) if isinstance(event, Delta))


async def test_a_photo_speaks(adapter: Adapter, tmp_path: Path):
    events = await run(adapter, video(tmp_path, script="Hello there! This picture can speak now, for ₹500."))
    assert isinstance(events[-1], Done)
    percents = [event.percent for event in events if isinstance(event, Progress)]
    assert percents == sorted(percents)
    (output,) = [event for event in events if isinstance(event, Output)]
    with av.open(str(output.content)) as clip:
        assert clip.streams.video[0].codec_context.name == "h264"
        assert clip.streams.audio[0].codec_context.name == "aac"
        assert 2 < clip.duration / 1e6 < 8
        frames = np.stack([frame.to_ndarray(format="gray").astype(np.int16) for frame in clip.decode(video=0)])
    assert frames.shape[1:] == (512, 512)
    moving = np.abs(np.diff(frames, axis=0)).mean(axis=0)
    mouth, forehead = moving[285:335, 210:300].mean(), moving[130:170, 220:290].mean()
    assert mouth > forehead * 1.5, (mouth, forehead)


@pytest.mark.parametrize("aspect_ratio", ["16:9", "9:16"])
async def test_a_photo_without_a_face_is_narrated_in_hindi(adapter: Adapter, tmp_path: Path, aspect_ratio: str):
    out = io.BytesIO()
    Image.linear_gradient("L").resize((300, 200)).convert("RGB").save(out, "PNG")
    changes = {"photo": Media(out.getvalue(), "image/png"), "script": "नमस्ते दुनिया", "language": "hi"}
    events = await run(adapter, video(tmp_path, aspect_ratio=aspect_ratio, **changes))
    assert any(isinstance(event, Output) for event in events)


async def test_a_prompt_becomes_a_video(adapter: Adapter, tmp_path: Path):
    changes = {"operation": "video.text", "photo": None, "prompt": "A boat on a lake", "duration_s": 3}
    events = await run(adapter, video(tmp_path, **changes))
    assert any(isinstance(event, Output) for event in events)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"photo": Media(b"not an image", "image/png"), "script": "Hello"}, "bad_input"),
        ({"script": "word " * 3000}, "too_long"),
    ],
)
async def test_what_cannot_become_a_video_is_refused(adapter: Adapter, tmp_path: Path, changes: dict, reason: str):
    with pytest.raises(Rejected) as refusal:
        await run(adapter, video(tmp_path, **changes))
    assert refusal.value.reason == reason


async def test_a_worker_dies_at_its_time_limit_and_when_nobody_waits(adapter: Adapter, tmp_path: Path):
    with pytest.raises(Unavailable):
        await run(adapter, video(tmp_path, script="Hello " * 80, timeout=0.8))
    async with aclosing(adapter.generate(video(tmp_path, script="Hello " * 80))) as events:
        async for _ in events:
            break
    ends = time.monotonic() + 5
    while workers() and time.monotonic() < ends:
        await asyncio.sleep(0.05)
    assert workers() == []


def workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "hortus_local.worker" in child.cmdline()]


async def test_images_have_the_size_asked_for_and_differ(adapter: Adapter, tmp_path: Path):
    request = ImageRequest(
        id="g", model="sketch-image", timeout=60, workdir=tmp_path, operation="image.generate",
        prompt="A cat by the sea at night, watercolour", width=200, height=120, count=2, color="blue",
    )  # fmt: skip
    outputs = [event for event in await run(adapter, request) if isinstance(event, Output)]
    images = [Image.open(io.BytesIO(output.content.read_bytes())).convert("RGB") for output in outputs]
    assert [image.size for image in images] == [(200, 120)] * 2
    assert images[0].tobytes() != images[1].tobytes()


@pytest.mark.parametrize("operation", ["restyle", "enhance", "upscale", "remove_background"])
async def test_images_are_edited(adapter: Adapter, tmp_path: Path, operation: str):
    request = ImageRequest(
        id="g", model="sketch-image", timeout=60, workdir=tmp_path, operation=f"image.{operation}",
        prompt="pencil", width=768, height=768, source=PHOTO,
    )  # fmt: skip
    (output,) = [event for event in await run(adapter, request) if isinstance(event, Output)]
    image = Image.open(io.BytesIO(output.content.read_bytes()))
    assert image.width == (1536 if operation == "upscale" else 768)
    if operation == "remove_background":
        alpha = np.asarray(image.getchannel("A"))
        assert alpha[:60, :60].mean() < 60
        assert alpha[300:400, 330:440].mean() > 200


async def test_answers_use_earlier_messages(adapter: Adapter):
    assert "84" in await written(adapter, text("What is 12*7?"))
    assert "Asha" in await written(adapter, text("What is my name?", ("user", "My name is Asha."), ("assistant", "Hi")))
    assert await written(adapter, text("Ideas for a tea shop")) == await written(adapter, text("Ideas for a tea shop"))
    assert "sketch" in (await written(adapter, text("اكتب"))).lower()
    events = await run(adapter, text("A story about a kite", max_tokens=5))
    assert events[-1].finish == "length"
