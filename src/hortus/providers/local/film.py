"""Films: a photo that speaks, or a scene that is told. H.264 and AAC in an MP4 that starts at once."""

import io
import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hortus.providers.local.face import Mimic, find_face, openings
from hortus.providers.local.refusal import Refusal
from hortus.providers.local.speech import Speech, speak
from hortus.providers.local.subtitles import Subtitles

FPS = 25
SIZES = {"1:1": (512, 512), "9:16": (432, 768), "16:9": (768, 432)}
TAIL_S = 0.4
AUDIO_RATE = 44100
Progress = Callable[[int], None]
Frame = NDArray[Any]


def talking_photo(
    photo: bytes,
    script: str,
    *,
    language: str,
    voice: str | None,
    aspect_ratio: str,
    target: Path,
    progress: Progress,
) -> None:
    """Film the photo saying the script. Without a face it is narrated over a slow move. Raises Refusal."""
    base = _compose(_open(photo), SIZES[aspect_ratio])
    progress(5)
    speech = speak(script, language, voice)
    progress(12)
    frames = math.ceil((speech.seconds + TAIL_S) * FPS)
    face = find_face(base)
    pictures = _told(base, speech, frames) if face is None else _spoken(base, Mimic(base, face), speech, frames)
    _write(target, pictures, frames, speech, progress)


def narrated_scene(
    picture: Image.Image, text: str, *, seconds: int, language: str, aspect_ratio: str, target: Path, progress: Progress
) -> None:
    """Film a picture with a slow move, the text told and written over it; at least `seconds` long."""
    width, height = SIZES[aspect_ratio]
    base = np.asarray(ImageOps.fit(picture.convert("RGB"), (width, height), Image.Resampling.LANCZOS))
    speech = speak(text, language)
    frames = max(math.ceil((speech.seconds + TAIL_S) * FPS), seconds * FPS)
    _write(target, _told(base, speech, frames, wave=False), frames, speech, progress)


def _open(photo: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(photo))
        image.load()
        return ImageOps.exif_transpose(image).convert("RGB")
    except Exception as error:  # decoders of hostile bytes raise almost anything
        raise Refusal("rejected", "the photo cannot be decoded") from error


def _compose(photo: Image.Image, size: tuple[int, int]) -> Frame:
    """The whole photo in the frame, before a blurred copy of itself."""
    fill = ImageOps.fit(photo, size, Image.Resampling.BILINEAR)
    back = cv2.GaussianBlur(np.asarray(fill), (0, 0), size[0] / 28)
    frame = Image.fromarray((back * 0.72).astype(np.uint8))
    inner = ImageOps.contain(photo, size, Image.Resampling.LANCZOS)
    frame.paste(inner, ((size[0] - inner.width) // 2, (size[1] - inner.height) // 2))
    return np.asarray(frame)


def _spoken(base: Frame, mimic: Mimic, speech: Speech, frames: int) -> Iterator[Frame]:
    height, width = base.shape[:2]
    loudness = speech.loudness(FPS, frames)
    opened, rounded = openings([(sound.start, sound.name) for sound in speech.sounds], loudness, FPS)
    lids = _blinks(frames)
    subtitles = Subtitles(speech.words, width, height)
    for i in range(frames):
        frame = base.copy()
        mimic.blink(frame, float(lids[i]))
        mimic.speak(frame, float(opened[i]), float(rounded[i]))
        frame = _sway(frame, i / FPS, float(loudness[i]))
        subtitles.lay_on(frame, i / FPS)
        yield frame


def _blinks(frames: int) -> NDArray[Any]:
    lids = np.zeros(frames + 12)
    shape = (0.35, 0.9, 1.0, 0.75, 0.3)
    rng, moment = np.random.default_rng(7), 1.1
    while moment * FPS < frames:
        start = int(moment * FPS)
        lids[start : start + len(shape)] = shape
        moment += rng.uniform(2.4, 4.6)
    return lids[:frames]


def _sway(frame: Frame, moment: float, loud: float) -> Frame:
    """A head is never quite still: a slow turn, a breath, a nod with the voice."""
    height, width = frame.shape[:2]
    angle = 0.55 * math.sin(moment * 1.3) + 0.25 * math.sin(moment * 2.9 + 1)
    scale = 1.035 + 0.006 * math.sin(moment * 1.7)
    turn = cv2.getRotationMatrix2D((width / 2, height * 0.75), angle, scale)
    turn[0, 2] += width * 0.004 * math.sin(moment * 0.9 + 2)
    turn[1, 2] += height * (0.003 * math.sin(moment * 2.1) + 0.003 * loud)
    return cv2.warpAffine(frame, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _told(base: Frame, speech: Speech, frames: int, *, wave: bool = True) -> Iterator[Frame]:
    """A slow move into the picture with subtitles and, over a photo, the wave of the voice."""
    height, width = base.shape[:2]
    loudness = np.convolve(speech.loudness(FPS, frames), np.ones(3) / 3, "same")
    subtitles = Subtitles(speech.words, width, height)
    for i in range(frames):
        share = i / max(1, frames - 1)
        zoom = cv2.getRotationMatrix2D(
            (width * (0.5 + 0.06 * share), height * (0.5 - 0.04 * share)), 0, 1.02 + 0.13 * share
        )
        frame = cv2.warpAffine(base, zoom, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        if wave:
            _draw_wave(frame, loudness, i)
        subtitles.lay_on(frame, i / FPS)
        yield frame


def _draw_wave(frame: Frame, loudness: NDArray[Any], now: int) -> None:
    height, width = frame.shape[:2]
    bars, middle = 25, int(height * 0.80)
    for bar in range(bars):
        level = loudness[max(0, min(len(loudness) - 1, now - abs(bar - bars // 2)))]
        x = int(width * (0.5 + (bar - bars / 2 + 0.5) * 0.016))
        half = int(height * (0.004 + 0.045 * level * math.cos((bar - bars // 2) / bars * 2.6) ** 2))
        cv2.line(frame, (x, middle - half), (x, middle + half), (255, 255, 255), max(2, width // 200), cv2.LINE_AA)


def _write(target: Path, pictures: Iterator[Frame], frames: int, speech: Speech, progress: Progress) -> None:
    with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as film:
        first = next(pictures)
        video = film.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "22"})
        video.width, video.height, video.pix_fmt = first.shape[1], first.shape[0], "yuv420p"
        video.codec_context.thread_count = 2
        audio = film.add_stream("aac", rate=AUDIO_RATE)
        audio.codec_context.layout = "mono"
        _write_sound(film, audio, speech, frames / FPS)
        for number, picture in enumerate(itertools.chain([first], pictures)):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number
            film.mux(video.encode(frame))
            if number % 12 == 0:
                progress(12 + 86 * number // frames)
        film.mux(video.encode(None))


def _write_sound(film: Any, audio: Any, speech: Speech, seconds: float) -> None:
    """The speech, with silence up to the end of the film."""
    silence = np.zeros(max(0, round(seconds * speech.rate) - len(speech.samples)), np.int16)
    samples = np.concatenate([speech.samples, silence])
    sound = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    sound.sample_rate, sound.pts = speech.rate, 0
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=AUDIO_RATE, frame_size=1024)
    for part in (*resampler.resample(sound), *resampler.resample(None)):
        film.mux(audio.encode(part))
    film.mux(audio.encode(None))
