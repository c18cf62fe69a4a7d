"""Animation of the face of a photo: jaw, lips, lids and head, by moving pixels."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hortus_local.face import Eye, Face
from hortus_local.images import Pixels
from hortus_local.speech import Sound, SpokenAudio

Curve = NDArray[np.float64]
Map = NDArray[Any]

_OPEN = {"a": 1.0, "ɑ": 1.0, "æ": 0.95, "ɐ": 0.8, "ʌ": 0.8, "ɛ": 0.7, "e": 0.6, "ə": 0.5, "ɜ": 0.55, "ɚ": 0.5, "ɔ": 0.75,
         "o": 0.65, "ɒ": 0.8, "ɪ": 0.4, "i": 0.32, "ʊ": 0.38, "u": 0.32, "y": 0.3, "ø": 0.45, "œ": 0.5, "ɯ": 0.35,
         "m": 0.0, "b": 0.0, "p": 0.0, "f": 0.07, "v": 0.07, "w": 0.16, "ʋ": 0.1}  # fmt: skip
_ROUND = {"o": 0.8, "ɔ": 0.6, "ɒ": 0.4, "u": 1.0, "ʊ": 0.8, "w": 1.0, "y": 0.9, "ø": 0.7, "œ": 0.6, "ʃ": 0.5, "ʒ": 0.5}
_OTHER_SOUND = 0.22


@dataclass(frozen=True, slots=True)
class Gestures:
    """The movements of the face in each frame, all 0 to 1 but `turn` and `nod`, which swing around 0."""

    jaw: Curve
    rounding: Curve
    lids: Curve
    turn: Curve
    nod: Curve


def plan_gestures(speech: SpokenAudio, fps: int, frames: int) -> Gestures:
    """The movements that go with the speech; the same speech always gets the same."""
    loud = speech.loudness(fps, frames)
    jaw, rounding = _read_lips(speech.sounds, fps, frames)
    jaw = _soften(jaw * (0.35 + 0.65 * np.sqrt(loud)) * (loud > 0.03), (0.2, 0.6, 0.2))
    rng = np.random.default_rng(len(speech.samples))
    time = np.arange(frames) / fps
    stress = _soften(loud, tuple(np.hanning(17)[1:-1] / np.hanning(17).sum()))
    turn = 0.7 * np.sin(time * 1.15 + rng.uniform(0, 6)) + 0.45 * np.sin(time * 2.3 + rng.uniform(0, 6))
    nod = 0.5 * np.sin(time * 1.6 + rng.uniform(0, 6)) + 1.1 * (stress - float(stress.mean()))
    return Gestures(jaw, _soften(rounding, (0.25, 0.5, 0.25)), _plan_blinks(rng, fps, frames), turn, nod)


def _read_lips(sounds: tuple[Sound, ...], fps: int, frames: int) -> tuple[Curve, Curve]:
    jaw, rounding = np.zeros(frames), np.zeros(frames)
    for i, sound in enumerate(sounds):
        stop = sounds[i + 1].start if i + 1 < len(sounds) else sound.start + 0.12
        a, b = round(sound.start * fps), max(round(stop * fps), round(sound.start * fps) + 1)
        if not sound.name or a >= frames:
            continue
        jaw[a:b] = max((_OPEN.get(c, 0.0) for c in sound.name if c in _OPEN), default=_OTHER_SOUND)
        rounding[a:b] = max(_ROUND.get(c, 0.0) for c in sound.name)
    return jaw, rounding


def _plan_blinks(rng: np.random.Generator, fps: int, frames: int) -> Curve:
    lids = np.zeros(frames)
    shape = (0.45, 1.0, 1.0, 0.6, 0.2)
    at = float(rng.uniform(0.7, 1.5))
    while at * fps + len(shape) < frames:
        start = int(at * fps)
        lids[start : start + len(shape)] = shape
        at += float(rng.uniform(2.0, 4.2))
    return lids


def _soften(curve: Curve, kernel: tuple[float, ...]) -> Curve:
    return np.convolve(np.pad(curve, len(kernel) // 2, mode="edge"), kernel, mode="valid")


class FaceAnimation:
    """A photo whose face moves. `frame(i)` gives image `i`; the photo itself is never changed."""

    def __init__(self, photo: Pixels, face: Face, gestures: Gestures) -> None:
        self._photo, self._face, self._gestures = photo, face, gestures
        height, width = photo.shape[:2]
        self._x, self._y = (m.astype(np.float32) for m in np.meshgrid(np.arange(width), np.arange(height)))
        cx, cy, size = face.x + face.size / 2, face.y + face.size * 0.5, face.size
        away = ((self._x - cx) / (size * 1.05)) ** 2 + ((self._y - cy) / (size * 1.15)) ** 2
        edge = np.minimum.reduce([self._x, self._y, width - 1 - self._x, height - 1 - self._y]) / (0.05 * size + 1)
        self._head: Map = (np.exp(-(away**2) * 0.6) * np.clip(edge, 0, 1)).astype(np.float32)
        self._neck = face.y + face.size * 1.15
        self._box = self._mouth_box()
        self._prepare_mouth()
        self._inside = _paint_mouth_inside(photo, face)

    def frame(self, i: int) -> Pixels:
        """RGB pixels of frame `i`, of the photo's size."""
        g, face = self._gestures, self._face
        turn, nod = float(g.turn[i]), float(g.nod[i])
        talking = self._speak(float(g.jaw[i]), float(g.rounding[i]))
        if face.eyes and g.lids[i] > 0:
            for eye in face.eyes:
                _close_lid(talking, eye, float(g.lids[i]))
        angle = 0.022 * turn
        dx = face.size * 0.014 * turn - (self._y - self._neck) * angle
        dy = face.size * 0.013 * nod + (self._x - face.x - face.size / 2) * angle
        return cv2.remap(talking, self._x - dx * self._head, self._y - dy * self._head, cv2.INTER_LINEAR)

    def _mouth_box(self) -> tuple[int, int, int, int]:
        face, (height, width) = self._face, self._photo.shape[:2]
        return (
            max(int(face.mouth_x - face.size * 0.52), 0), max(int(face.mouth_y - face.size * 0.20), 0),
            min(int(face.mouth_x + face.size * 0.52), width), min(int(face.mouth_y + face.size * 0.50), height),
        )  # fmt: skip

    def _prepare_mouth(self) -> None:
        x0, y0, x1, y1 = self._box
        face = self._face
        self._u: Map = (self._x[y0:y1, x0:x1] - face.mouth_x) / face.mouth_reach
        self._v: Map = self._y[y0:y1, x0:x1] - np.float32(face.mouth_y)
        bow = np.clip(1 - self._u**2, 0, 1)
        self._bow: Map = bow**0.75
        below = np.clip(self._v / (face.size * 0.40), 0, 1)
        wide = np.exp(-((self._u / (1.15 + 0.5 * below)) ** 4))
        self._chin: Map = (wide * (1 - below**2.2) ** 1.5).astype(np.float32)
        above = np.clip(-self._v / (face.size * 0.10), 0, 1)
        self._lip: Map = (self._bow * (1 - above) ** 2).astype(np.float32)

    def _speak(self, jaw: float, rounding: float) -> Pixels:
        """The photo with the mouth opened by `jaw`, 0 to 1."""
        image = self._photo.copy()
        if jaw < 0.03 and rounding < 0.05:
            return image
        x0, y0, x1, y1 = self._box
        face = self._face
        narrow = 1 - 0.26 * rounding
        # The jaw drops by the most in the middle; the corners stay.
        drop = np.float32(face.size * 0.125 * jaw)
        u = self._u / np.float32(narrow)
        bow = np.clip(1 - u**2, 0, 1) ** np.float32(0.75)
        lower = drop * np.float32(0.80) * bow
        upper = drop * np.float32(0.20) * bow
        # Right under the lips only the lips move; lower down the whole jaw does.
        whole = np.clip(self._v / (face.size * 0.24), 0, 1)
        whole = whole * whole * (3 - 2 * whole)
        moved = drop * np.float32(0.80) * self._chin * (bow + (1 - bow) * whole)
        falling = np.where(
            self._v > 0, np.minimum(moved, np.maximum(self._v, 0)), -upper * (self._lip > 0) * self._fade()
        )
        squeeze = (
            (u - self._u)
            * np.float32(face.mouth_reach)
            * np.exp(-((self._u / 1.1) ** 4))
            * np.exp(-((self._v / (face.size * 0.10)) ** 2))
        )
        warped = cv2.remap(
            self._photo, self._x[y0:y1, x0:x1] + squeeze, self._y[y0:y1, x0:x1] - falling, cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ).astype(np.float32)  # fmt: skip
        gap = np.clip((lower - self._v) / 1.6 + 0.5, 0, 1) * np.clip((self._v + upper) / 1.6 + 0.5, 0, 1)
        soft = cv2.GaussianBlur(gap * (lower + upper > 1.0), (0, 0), 0.8)[:, :, None]
        inside = self._draw_inside(lower, upper)
        image[y0:y1, x0:x1] = np.clip(warped + (inside - warped) * soft, 0, 255).astype(np.uint8)
        return image

    def _fade(self) -> Map:
        above = np.clip(-self._v / (self._face.size * 0.10), 0, 1)
        return ((1 - above) ** 2).astype(np.float32)

    def _draw_inside(self, lower: Map, upper: Map) -> Map:
        """Teeth under the upper lip, a tongue at the bottom, dark between."""
        dark, teeth, tongue = self._inside
        height = np.maximum(lower + upper, 1.0)
        depth = (self._v + upper) / height
        tooth = np.float32(self._face.size * 0.026)
        row = (
            np.clip((tooth - (self._v + upper)) / 1.5 + 0.5, 0, 1) * np.clip(1.05 - np.abs(self._u) * 1.15, 0, 1) ** 0.6
        )
        row = row * np.clip((height - tooth * 0.8) / (tooth * 1.5), 0, 0.88)
        flesh = np.clip((depth - 0.62) * 3.2, 0, 1) * np.clip(1 - self._u**2 * 1.6, 0, 1)
        base = dark + (tongue - dark) * (flesh[:, :, None] * 0.75)
        painted: Map = base + (teeth - base) * row[:, :, None]
        return painted


def _paint_mouth_inside(photo: Pixels, face: Face) -> tuple[Map, Map, Map]:
    """Colours of the dark, the teeth and the tongue, in the light of the photo."""
    y0, y1 = int(face.y + face.size * 0.5), int(face.y + face.size * 0.66)
    x0, x1 = int(face.x + face.size * 0.25), int(face.x + face.size * 0.75)
    skin = photo[y0:y1, x0:x1].reshape(-1, 3).mean(axis=0) if y1 > y0 and x1 > x0 else np.array([180.0, 150.0, 130.0])
    light = float(np.clip(skin.max() / 225, 0.35, 1.05))
    grey = float(np.ptp(skin)) < 6
    dark = np.array([38, 30, 30] if grey else [58, 16, 20], np.float32) * light
    teeth = np.array([225, 222, 218] if grey else [236, 228, 216], np.float32) * light
    tongue = np.array([110, 104, 104] if grey else [176, 74, 78], np.float32) * light
    return dark, np.minimum(teeth, 250), tongue


def _close_lid(image: Pixels, eye: Eye, closed: float) -> None:
    """Pull the skin above an eye down over it, in place."""
    reach = eye.reach
    height, width = image.shape[:2]
    x0, x1 = max(int(eye.x - reach * 1.6), 0), min(int(eye.x + reach * 1.6) + 1, width)
    y0, y1 = max(int(eye.y - reach * 1.3), 0), min(int(eye.y + reach * 0.9) + 1, height)
    if x1 - x0 < 6 or y1 - y0 < 6:
        return
    x, y = (m.astype(np.float32) for m in np.meshgrid(np.arange(x0, x1), np.arange(y0, y1)))
    u, v = (x - eye.x) / (reach * 1.3), (y - eye.y) / reach
    bow = np.clip(1 - u * u, 0, 1) ** 0.75
    rest = -0.74 * bow
    lid = rest + closed * (0.56 * bow - rest)
    top = np.float32(-1.22)
    # From the brow to the lid's edge the skin stretches; under the edge the eye stays.
    share = np.clip((v - top) / np.maximum(lid - top, 0.05), 0, 1)
    source = np.where((v < lid) & (v > top), top + share**1.2 * (rest - 0.02 - top), v)
    moved = cv2.remap(image, x, eye.y + source.astype(np.float32) * reach, cv2.INTER_LINEAR).astype(np.float32)
    lash = np.exp(-(((v - lid) / 0.11) ** 2)) * np.clip(bow * 1.6, 0, 1) * 0.72 * closed
    moved *= 1 - lash[:, :, None]
    cover = np.clip((lid - v) * reach / 2 + 1.0, 0, 1) * np.clip(bow * 4, 0, 1)
    cover = np.maximum(np.where(v < top, 0, cover), lash * (v >= lid))[:, :, None]
    part = image[y0:y1, x0:x1]
    part[:] = (part + (moved - part) * cover).astype(np.uint8)
