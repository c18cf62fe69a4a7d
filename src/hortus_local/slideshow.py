"""A video of a prompt: drawn scenes, a title, and a voice that reads the prompt."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from hortus_local.camera import travel
from hortus_local.drawing.draw import draw
from hortus_local.images import Pixels
from hortus_local.refusal import Refusal
from hortus_local.speech import SpokenAudio, speak
from hortus_local.subtitles import Subtitles, can_write, font_for, keep_known
from hortus_local.talking_photo import Narration, ReportProgress
from hortus_local.video import FPS, SIZES, write_video

LONGEST_S = 120
_SCENE_S = 3.5
_MOST_SCENES = 8
_FADE_S = 0.6
_CHARACTERS_PER_SECOND = 13
_SPOKEN = 900
"""Characters of the prompt that are read aloud, about a minute."""


def write_slideshow(
    prompt: str, script: str | None, aspect: str, seconds: float, narration: Narration, target: Path, report: ReportProgress
) -> float:  # fmt: skip
    """Write a video of at least `seconds` to `target` and return its duration."""
    if seconds > LONGEST_S:
        raise Refusal("rejected", f"a video of {seconds:.0f} s", "too_long")
    speech = _narrate(script or _shorten(prompt, seconds), narration)
    count = int(np.ceil(max(seconds, speech.seconds + 0.8 if speech else 0.0) * FPS))
    width, height = SIZES[aspect]
    scenes = _draw_scenes(prompt, count / FPS, width, height, report)
    rate = speech.rate if speech else 22_050
    sound = _mix(speech, count, rate)
    subtitles = Subtitles(speech.words if speech else (), width, height)
    title = _render_title(prompt, width, height)
    frames = _show(scenes, count, (width, height), subtitles, title, report)
    write_video(target, frames, (width, height), sound, rate)
    return count / FPS


def _shorten(prompt: str, seconds: float) -> str:
    """As much of the prompt as can be read aloud in about that time: the customer pays for the requested length."""
    text, most = prompt.strip(), min(_SPOKEN, int(seconds * _CHARACTERS_PER_SECOND))
    if len(text) <= most:
        return text
    cut = text[:most]
    end = max(cut.rfind(mark) for mark in ".!?।")
    return cut[: end + 1] if end > most // 3 else cut.rsplit(" ", 1)[0]


def _narrate(text: str, narration: Narration) -> SpokenAudio | None:
    """The prompt read aloud; a video of a prompt without words, or in an unknown language, is silent."""
    try:
        return speak(text, narration.language, narration.voice, max_s=LONGEST_S)
    except Refusal as refusal:
        if refusal.reason == "too_long":
            raise
        return None


def _mix(speech: SpokenAudio | None, count: int, rate: int) -> NDArray[Any]:
    """The voice over a quiet chord that swells and fades."""
    length = count * (rate // FPS)
    time = np.arange(length) / rate
    chord = sum(np.sin(2 * np.pi * tone * time + i) / (i + 2) for i, tone in enumerate((130.8, 196.0, 261.6, 329.6)))
    swell = np.minimum(np.minimum(time / 1.5, (time[-1] - time) / 1.5), 1).clip(0, 1) * (
        0.75 + 0.25 * np.sin(time * 0.9)
    )
    sound = chord * swell * 620
    if speech:
        sound[: len(speech.samples)] += speech.samples[:length] * 0.92
    quiet: NDArray[Any] = np.clip(sound, -32000, 32000).astype(np.int16)
    return quiet


def _draw_scenes(prompt: str, seconds: float, width: int, height: int, report: ReportProgress) -> list[Pixels]:
    """One image per sentence or phrase, at least as many as the duration needs."""
    phrases = [part for part in re.split(r"[.!?;।\n]+\s*", prompt) if re.search(r"\w", part)] or [prompt]
    wanted = min(max(round(seconds / _SCENE_S), len(phrases)), _MOST_SCENES)
    scenes = []
    for i in range(wanted):
        phrase = phrases[i * len(phrases) // wanted] if len(phrases) > 1 else prompt
        drawn = draw(phrase, round(width * 1.2), round(height * 1.2), take=i)
        scenes.append(drawn)
        report(2 + 28 * (i + 1) // wanted)
    return scenes


def _show(
    scenes: list[Pixels], count: int, size: tuple[int, int], subtitles: Subtitles,
    title: tuple[NDArray[Any], NDArray[Any], int] | None, report: ReportProgress,
) -> Iterator[Pixels]:  # fmt: skip
    length = count / len(scenes)
    fade = _FADE_S * FPS
    for i in range(count):
        k = min(int(i / length), len(scenes) - 1)
        inside = i - k * length
        frame = travel(scenes[k], *size, min((inside + fade) / (length + fade), 1.0), k)
        if k and inside < fade:
            before = travel(scenes[k - 1], *size, min((inside + length + fade) / (length + fade), 1.0), k - 1)
            share = inside / fade
            frame = cv2.addWeighted(before, 1 - share, frame, share, 0)
        if title is not None and i < 2.6 * FPS:
            _lay_title(frame, title, min(i / 10, (2.6 * FPS - i) / 12, 1.0))
        subtitles.draw(frame, i / FPS)
        edge = min((i + 1) / 10, (count - i) / 12, 1.0)
        if edge < 1:
            frame = (frame * edge).astype(np.uint8)
        if i % FPS == 0:
            report(30 + 68 * i // count)
        yield frame


def _render_title(prompt: str, width: int, height: int) -> tuple[NDArray[Any], NDArray[Any], int] | None:
    """The first words of the prompt, large, on a soft shade; None when our fonts cannot write them."""
    words = keep_known(re.split(r"[.!?;।\n]", prompt.strip())[0]).split()[:8]
    if not words or not can_write(" ".join(words)):
        return None
    size = max(round(min(width, height) * 0.085), 18)
    lines: list[str] = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font_for(longer, size, 800).getlength(longer) > width * 0.82:
            lines.append(word)
        else:
            lines[-1] = longer
    lines = [line[:1].upper() + line[1:] if i == 0 else line for i, line in enumerate(lines[:3])]
    tall = round(size * 1.35) * len(lines) + size
    layer = Image.new("RGBA", (width, tall), (0, 0, 0, 0))
    shade = Image.new("L", (width, tall), 0)
    _put_lines(ImageDraw.Draw(shade), lines, width, size, 235, max(size // 14, 1))
    layer.putalpha(shade.filter(ImageFilter.GaussianBlur(size * 0.16)))
    _put_lines(ImageDraw.Draw(layer), lines, width, size, (255, 255, 255, 255), 0)
    rgba = np.asarray(layer).astype(np.float32)
    alpha = rgba[:, :, 3:] / 255
    return alpha, rgba[:, :, :3], int(height * 0.40 - tall / 2)


def _put_lines(
    pen: ImageDraw.ImageDraw, lines: list[str], width: int, size: int, fill: int | tuple[int, ...], stroke: int
) -> None:  # fmt: skip
    for i, line in enumerate(lines):
        at = (width / 2, size * 0.5 + round(size * 1.35) * (i + 0.5))
        pen.text(at, line, font=font_for(line, size, 800), fill=fill, anchor="mm", stroke_width=stroke)


def _lay_title(frame: Pixels, title: tuple[NDArray[Any], NDArray[Any], int], strength: float) -> None:
    alpha, colours, y = title
    y = max(y, 0)
    part = frame[y : y + alpha.shape[0]]
    share = alpha[: part.shape[0]] * np.float32(max(strength, 0.0))
    part[:] = (part + (colours[: part.shape[0]] - part) * share).astype(np.uint8)
