"""A talking photo: a picture and a script become a film."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hortus_local.face import Face, find_face
from hortus_local.film import FPS, SIZES, write_film
from hortus_local.pictures import Pixels, read_picture
from hortus_local.puppet import Puppet, plan_gestures
from hortus_local.speech import Speech, speak
from hortus_local.stage import Stage, draw_voice, travel
from hortus_local.subtitles import Subtitles

Tell = Callable[[int], None]
_READ_AT = 1280


@dataclass(frozen=True, slots=True)
class Manner:
    """How a film speaks."""

    language: str = "en"
    voice: str | None = None
    words_per_minute: int = 160
    subtitles: bool = True


def film_photo(photo: Path, script: str, aspect: str, manner: Manner, target: Path, tell: Tell) -> float:
    """Write the film to `target` and answer how many seconds it lasts. `tell` hears percents."""
    speech = speak(script, manner.language, manner.voice, manner.words_per_minute)
    tell(5)
    pixels = read_picture(photo, _READ_AT)
    width, height = SIZES[aspect]
    count = int(np.ceil(speech.seconds * FPS))
    face = find_face(pixels)
    tell(10)
    scenes = (
        _act(pixels, face, speech, (width, height), count) if face else _narrate(pixels, speech, (width, height), count)
    )
    subtitles = Subtitles(speech.words if manner.subtitles else (), width, height)
    write_film(target, _finish(scenes, subtitles, count, tell), (width, height), speech.samples, speech.rate)
    return count / FPS


def _act(pixels: Pixels, face: Face, speech: Speech, size: tuple[int, int], count: int) -> Iterator[Pixels]:
    stage = Stage(pixels, *size, face)
    # The photo was cropped and resized; looking again is simpler than carrying every point along.
    placed = find_face(stage.inner)
    if placed is None:
        yield from _narrate(pixels, speech, size, count)
        return
    puppet = Puppet(stage.inner, placed, plan_gestures(speech, FPS, count))
    for i in range(count):
        yield stage.show(puppet.frame(i))


def _narrate(pixels: Pixels, speech: Speech, size: tuple[int, int], count: int) -> Iterator[Pixels]:
    """No face: the view wanders over the photo, and bars show that somebody speaks."""
    stage = Stage(pixels, *size)
    levels = speech.loudness(FPS, count)
    inner_h, inner_w = stage.inner.shape[:2]
    for i in range(count):
        frame = stage.show(travel(stage.inner, inner_w, inner_h, i / max(count - 1, 1), 0))
        draw_voice(frame, levels, i)
        yield frame


def _finish(frames: Iterator[Pixels], subtitles: Subtitles, count: int, tell: Tell) -> Iterator[Pixels]:
    for i, frame in enumerate(frames):
        subtitles.draw(frame, i / FPS)
        if i % FPS == 0:
            tell(10 + 88 * i // count)
        yield frame
