"""Talking photos and slideshows: they can be played, they move where they should, and they end when cancelled."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import textwrap
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
from hortus.providers.base import (
    Context,
    Done,
    Media,
    Output,
    Progress,
    Rejected,
    Unavailable,
    Unsupported,
    VideoRequest,
)
from hortus_local import Adapter

PORTRAIT = Path(hortus.__file__).parent / "assets" / "portrait.png"
PHOTO = Media(PORTRAIT.read_bytes(), "image/png")
SIZES = {"1:1": (512, 512), "16:9": (768, 432), "9:16": (432, 768)}


@pytest.fixture
async def adapter(tmp_path: Path):
    async with Http() as http:
        yield Adapter(Context(http, tmp_path))


def request(tmp_path: Path, **changes) -> VideoRequest:
    usual = {"id": "g", "model": "sketch-video", "timeout": 90.0, "workdir": tmp_path, "photo": PHOTO}
    return VideoRequest(
        **{**usual, "operation": "video.talking_photo", "script": "Hello.", "aspect_ratio": "1:1", **changes}
    )


async def render(adapter: Adapter, request: VideoRequest) -> Path:
    events = [event async for event in adapter.generate(request)]
    assert isinstance(events[-1], Done)
    percents = [event.percent for event in events if isinstance(event, Progress)]
    assert percents == sorted(percents)
    (output,) = [event for event in events if isinstance(event, Output)]
    assert output.mime_type == "video/mp4"
    assert output.content.parent == request.workdir
    return output.content


def frames_of(path: Path, form: str = "gray") -> np.ndarray:
    with av.open(str(path)) as opened:
        return np.stack([frame.to_ndarray(format=form).astype(np.int16) for frame in opened.decode(video=0)])


def sound_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as opened:
        return np.concatenate([frame.to_ndarray()[0] for frame in opened.decode(audio=0)])


@pytest.mark.parametrize("aspect_ratio", SIZES)
async def test_a_talking_photo_plays_with_sound(adapter: Adapter, tmp_path: Path, aspect_ratio: str):
    path = await render(
        adapter, request(tmp_path, script="Hello there! This picture speaks for ₹500.", aspect_ratio=aspect_ratio)
    )
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # faststart: the index comes first
    with av.open(str(path)) as opened:
        video, audio = opened.streams.video[0].codec_context, opened.streams.audio[0].codec_context
        assert (video.name, video.pix_fmt, audio.name) == ("h264", "yuv420p", "aac")
        assert (video.width, video.height) == SIZES[aspect_ratio]
        assert 2 < opened.duration / 1e6 < 8
    loud = np.abs(sound_of(path))
    assert loud.max() > 0.1
    assert np.sqrt((loud[-8000:] ** 2).mean()) < 0.02  # it falls silent before the video ends


async def test_the_mouth_moves_more_than_the_rest_of_the_face(adapter: Adapter, tmp_path: Path):
    frames = frames_of(await render(adapter, request(tmp_path, script="Hello there! This picture can speak now.")))
    moving = np.abs(np.diff(frames, axis=0)).mean(axis=0)
    mouth, forehead, cheek = moving[290:335, 215:295], moving[130:170, 220:290], moving[225:260, 180:215]
    assert mouth.mean() > 2 * forehead.mean()
    assert mouth.mean() > 1.5 * cheek.mean()


async def test_fifty_words_in_hindi_and_english(adapter: Adapter, tmp_path: Path):
    for language, script in (("en-IN", "word and more " * 16), ("hi-IN", "नमस्ते दुनिया, आपका स्वागत है। " * 3)):
        folder = tmp_path / language
        folder.mkdir()
        assert len(frames_of(await render(adapter, request(folder, script=script, language=language)))) > 100


async def test_subtitles_are_shown_while_the_words_are_spoken(adapter: Adapter, tmp_path: Path):
    frames = frames_of(await render(adapter, request(tmp_path, script="एक दो ₹500", language="hi")))
    spoken, silent = frames[10, 435:485, 150:360], frames[-1, 435:485, 150:360]
    assert (spoken > 230).sum() > 100 + (silent > 230).sum()


async def test_a_photo_without_a_face_is_narrated(adapter: Adapter, tmp_path: Path):
    out = io.BytesIO()
    Image.radial_gradient("L").resize((500, 300)).convert("RGB").save(out, "JPEG")
    frames = frames_of(
        await render(adapter, request(tmp_path, photo=Media(out.getvalue(), "image/jpeg"), script="A view of nothing."))
    )
    assert np.abs(frames[-8] - frames[2]).mean() > 1


async def test_an_odd_voice_is_tolerated_and_an_unknown_language_is_not(adapter: Adapter, tmp_path: Path):
    await render(adapter, request(tmp_path, voice="../../etc/passwd"))
    with pytest.raises(Unsupported):
        await render(adapter, request(tmp_path, language="qqq"))


@pytest.mark.parametrize("words", ["A boat on a lake. Then a forest at night.", "☃ ☃ ☃", "שלום עולם"])
async def test_a_prompt_becomes_a_video_as_long_as_asked(adapter: Adapter, tmp_path: Path, words: str):
    path = await render(
        adapter, request(tmp_path, operation="video.text", photo=None, script=None, prompt=words, duration_s=4)
    )
    assert 4 * 25 <= len(frames_of(path)) < 12 * 25


async def test_a_long_prompt_makes_the_video_no_longer_than_it_was_priced_for(adapter: Adapter, tmp_path: Path):
    words = "A boat on a lake in the evening, and behind it a forest where nobody has ever been. " * 8
    path = await render(
        adapter, request(tmp_path, operation="video.text", photo=None, script=None, prompt=words, duration_s=4)
    )
    assert 4 * 25 <= len(frames_of(path)) < 8 * 25


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"photo": Media(b"\x89PNG\r\n\x1a\nnot really", "image/png")}, "bad_input"),
        ({"photo": None}, "bad_input"),
        ({"script": " \n"}, "bad_input"),
        ({"script": "?!"}, "bad_input"),
        ({"script": "word " * 900}, "too_long"),
        ({"script": "word " * 90_000}, "too_long"),
    ],
)
async def test_what_cannot_become_a_video_is_refused(adapter: Adapter, tmp_path: Path, changes: dict, reason: str):
    with pytest.raises(Rejected) as refusal:
        await render(adapter, request(tmp_path, **changes))
    assert refusal.value.reason == reason


async def test_a_worker_dies_at_its_time_limit(adapter: Adapter, tmp_path: Path):
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await render(adapter, request(tmp_path, script="Hello " * 80, timeout=0.9))
    assert time.monotonic() - began < 4
    assert workers() == []


async def test_a_worker_dies_when_nobody_waits(adapter: Adapter, tmp_path: Path):
    async with aclosing(adapter.generate(request(tmp_path, script="Hello " * 80))) as events:
        await anext(events)
        assert len(workers()) == 1
    assert workers() == []


async def test_a_worker_dies_when_its_task_is_cancelled(adapter: Adapter, tmp_path: Path):
    task = asyncio.create_task(render(adapter, request(tmp_path, script="Hello " * 80)))
    while not workers():
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert workers() == []


async def test_a_worker_that_crashes_is_unavailable(adapter: Adapter, tmp_path: Path):
    with pytest.raises(Unavailable, match="-9"):
        async for event in adapter.generate(request(tmp_path, script="Hello " * 80)):
            assert isinstance(event, Progress)
            for worker in workers():
                worker.kill()


async def test_two_work_at_a_time(adapter: Adapter, tmp_path: Path):
    tasks = []
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        tasks.append(asyncio.create_task(render(adapter, request(tmp_path / str(number), script="One."))))
    most = 0
    while not all(task.done() for task in tasks):
        most = max(most, len(workers()))
        await asyncio.sleep(0.02)
    await asyncio.gather(*tasks)
    assert most == 2


def test_a_worker_dies_with_a_parent_that_is_killed(tmp_path: Path):
    parent = textwrap.dedent(
        f"""
        import asyncio
        from pathlib import Path
        from hortus.providers.base import Media, Progress, VideoRequest
        from hortus_local import Adapter

        async def main():
            changes = VideoRequest(id="g", model="sketch-video", timeout=90, workdir=Path({str(tmp_path)!r}),
                operation="video.talking_photo", script="Hello " * 80,
                photo=Media(Path({str(PORTRAIT)!r}).read_bytes(), "image/png"))
            async for event in Adapter(None).generate(changes):
                print("begun", flush=True)

        asyncio.run(main())
        """
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline() == b"begun\n"
        (worker,) = psutil.Process(process.pid).children()
        os.kill(process.pid, signal.SIGKILL)
        ends = time.monotonic() + 5
        while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE and time.monotonic() < ends:
            time.sleep(0.02)
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


async def test_the_worker_sees_none_of_our_secrets(adapter: Adapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_live_secret")
    async with aclosing(adapter.generate(request(tmp_path, script="Hello " * 80))) as events:
        await anext(events)
        (worker,) = workers()
        assert "sk_live_secret" not in worker.environ().values()
        assert worker.nice() >= 10


def workers() -> list[psutil.Process]:
    """The media workers of this process that are alive; zombies count, for they were not buried."""
    alive = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "hortus_local.worker" in child.cmdline() or child.status() == psutil.STATUS_ZOMBIE:
                alive.append(child)
        except psutil.NoSuchProcess:
            continue
    return alive
