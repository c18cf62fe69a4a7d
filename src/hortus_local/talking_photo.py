"""A talking photo: an image and a script become a video."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hortus_local.camera import Camera, draw_voice, travel
from hortus_local.face import Face, find_face
from hortus_local.face_animation import FaceAnimation, plan_gestures
from hortus_local.images import Pixels, read_image
from hortus_local.speech import SpokenAudio, speak
from hortus_local.subtitles import Subtitles
from hortus_local.video import FPS, SIZES, write_video

ReportProgress = Callable[[int], None]
_READ_AT = 1280


@dataclass(frozen=True, slots=True)
class Narration:
    """Language and voice of a video."""

    language: str = "en"
    voice: str | None = None


def animate_photo(
    photo: Path, script: str, aspect: str, narration: Narration, target: Path, report: ReportProgress
) -> float:
    """Write the video to `target` and return its duration in seconds. `report` receives percents."""
    speech = speak(script, narration.language, narration.voice)
    report(5)
    pixels = read_image(photo, _READ_AT)
    width, height = SIZES[aspect]
    count = int(np.ceil(speech.seconds * FPS))
    face = find_face(pixels)
    report(10)
    scenes = (
        _act(pixels, face, speech, (width, height), count) if face else _narrate(pixels, speech, (width, height), count)
    )
    subtitles = Subtitles(speech.words, width, height)
    write_video(target, _finish(scenes, subtitles, count, report), (width, height), speech.samples, speech.rate)
    return count / FPS


def _act(pixels: Pixels, face: Face, speech: SpokenAudio, size: tuple[int, int], count: int) -> Iterator[Pixels]:
    camera = Camera(pixels, *size, face)
    # The photo was cropped and resized; looking again is simpler than carrying every point along.
    placed = find_face(camera.inner)
    if placed is None:
        yield from _narrate(pixels, speech, size, count)
        return
    animation = FaceAnimation(camera.inner, placed, plan_gestures(speech, FPS, count))
    for i in range(count):
        yield camera.show(animation.frame(i))


def _narrate(pixels: Pixels, speech: SpokenAudio, size: tuple[int, int], count: int) -> Iterator[Pixels]:
    """Without a face: the camera moves over the photo, and bars show the voice."""
    camera = Camera(pixels, *size)
    levels = speech.loudness(FPS, count)
    inner_h, inner_w = camera.inner.shape[:2]
    for i in range(count):
        frame = camera.show(travel(camera.inner, inner_w, inner_h, i / max(count - 1, 1), 0))
        draw_voice(frame, levels, i)
        yield frame


def _finish(frames: Iterator[Pixels], subtitles: Subtitles, count: int, report: ReportProgress) -> Iterator[Pixels]:
    for i, frame in enumerate(frames):
        subtitles.draw(frame, i / FPS)
        if i % FPS == 0:
            report(10 + 88 * i // count)
        yield frame
