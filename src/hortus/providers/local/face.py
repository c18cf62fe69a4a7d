"""A face in a picture: where it is, and how it moves when it speaks."""

import itertools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[Any]
_MOUTH = (58, 22, 28)
_TEETH = (236, 230, 224)
_TONGUE = (168, 74, 78)


@dataclass(frozen=True, slots=True)
class Face:
    """The box of a face and the line between its lips, in pixels."""

    x: int
    y: int
    w: int
    h: int
    lips: int


def find_face(frame: Frame) -> Face | None:
    """The largest face that looks at us, if there is one."""
    grey = cv2.equalizeHist(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
    finder = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    least = max(40, min(frame.shape[:2]) // 7)
    found = finder.detectMultiScale(grey, 1.08, 6, minSize=(least, least))
    if not len(found):
        return None
    x, y, w, h = (int(v) for v in max(found, key=lambda box: int(box[2]) * int(box[3])))
    return Face(x, y, w, h, _lip_line(frame, x, y, w, h))


def _lip_line(frame: Frame, x: int, y: int, w: int, h: int) -> int:
    """The darkest line across the lower third: where the lips meet."""
    top, bottom = y + int(h * 0.70), min(frame.shape[0] - 1, y + int(h * 0.90))
    part = frame[top:bottom, x + int(w * 0.38) : x + int(w * 0.62)].astype(np.float32)
    if part.size == 0 or part.shape[0] < 5:
        return y + int(h * 0.8)
    dark = cv2.GaussianBlur(part.mean(axis=(1, 2))[:, None], (1, 5), 0)[:, 0]
    return top + int(np.argmin(dark))


class Mimic:
    """Moves one face: jaw and eyelids. Built once for a film."""

    def __init__(self, base: Frame, face: Face) -> None:
        height, width = base.shape[:2]
        self._face = face
        self._left, self._right = max(0, face.x - face.w // 10), min(width, face.x + face.w + face.w // 10)
        self._top, self._bottom = max(0, face.y), min(height, face.lips + int(face.h * 0.75))
        rows, columns = np.mgrid[self._top : self._bottom, self._left : self._right].astype(np.float32)
        self._rows, self._columns = rows, columns
        middle = face.x + face.w / 2
        across = np.clip(np.abs(columns - middle) / (face.w * 0.46), 0, 1)
        below = np.clip((rows - face.lips) / max(1.0, self._bottom - face.lips), 0, 1)
        lip = np.clip(np.abs(columns - middle) / (face.w * 0.21), 0, 1)
        self._slit = np.sqrt(np.clip(1 - lip**2, 0, 1))
        # The jaw follows the lower lip and comes to rest at the collar; beside the mouth it starts gently.
        gentle = np.clip((rows - face.lips) / (face.h * 0.24), 0, 1) ** 2
        start = self._slit + (1 - self._slit) * gentle
        fade = np.clip(np.cos(across * np.pi / 2), 0, 1) ** 1.5 * np.clip(np.cos(below * np.pi / 2), 0, 1) ** 1.4
        self._jaw = np.where(rows >= face.lips, fade * start, 0)
        self._eyes = [(face.x + face.w * side, face.y + face.h * 0.40) for side in (0.30, 0.70)]
        self._lid = [_skin_above(base, eye, face) for eye in self._eyes]

    def speak(self, frame: Frame, opening: float, narrow: float) -> None:
        """Open the mouth by `opening` from 0 to 1; `narrow` rounds the lips for sounds such as o and u."""
        if opening < 0.04:
            return
        area = frame[self._top : self._bottom, self._left : self._right]
        drop = opening * self._face.h * 0.105
        shift = (self._jaw * drop).astype(np.float32)
        moved = cv2.remap(
            area,
            self._columns - self._left,
            self._rows - shift - self._top,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        slit = self._slit if narrow < 0.01 else np.clip(self._slit * (1 + narrow * 0.5) - narrow * 0.5, 0, 1)
        depth = self._rows - self._face.lips
        # Inside the lips: teeth above, the tongue below, dark between; soft at the edge.
        open_to = np.maximum(slit * drop, 1e-3)
        inside = np.clip((open_to - depth) * 0.8, 0, 1) * np.clip((depth + open_to * 0.10) * 0.8, 0, 1) * (slit > 0.05)
        share = np.clip(depth / open_to, 0, 1)[:, :, None]
        paint = np.array(_MOUTH, np.float32) + np.zeros_like(share)
        teeth = np.clip(0.30 - share, 0, 0.16) / 0.16 * min(1.0, opening * 1.2) * 0.85
        tongue = np.clip(share - 0.62, 0, 0.3) / 0.3 * 0.8
        paint = paint * (1 - teeth) + np.array(_TEETH, np.float32) * teeth
        paint = paint * (1 - tongue) + np.array(_TONGUE, np.float32) * tongue
        mask = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), max(0.6, self._face.w / 260))[:, :, None]
        area[:] = (moved * (1 - mask) + paint * mask).astype(np.uint8)

    def blink(self, frame: Frame, closed: float) -> None:
        """Close the eyes by `closed` from 0 to 1."""
        if closed < 0.05:
            return
        rx, ry = self._face.w * 0.125, self._face.h * 0.062
        for (cx, cy), skin in zip(self._eyes, self._lid, strict=True):
            top, bottom = int(cy - ry * 1.6), int(cy + ry * 1.6)
            left, right = int(cx - rx * 1.3), int(cx + rx * 1.3)
            if top < 0 or left < 0 or bottom >= frame.shape[0] or right >= frame.shape[1]:
                continue
            rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
            oval = 1 - ((columns - cx) / rx) ** 2 - ((rows - cy) / ry) ** 2
            edge = cy - ry + 2 * ry * closed
            cover = np.clip(oval * 3, 0, 1) * np.clip((edge - rows) * 0.7, 0, 1)
            lash = np.clip(1 - np.abs(rows - min(edge, cy + ry * 0.6)) / 1.4, 0, 1) * np.clip(oval * 3, 0, 1) * 0.55
            area = frame[top:bottom, left:right].astype(np.float32)
            area += (skin - area) * cover[:, :, None]
            area += (np.array((45, 30, 26), np.float32) - area) * lash[:, :, None]
            frame[top:bottom, left:right] = area.astype(np.uint8)


def _skin_above(base: Frame, eye: tuple[float, float], face: Face) -> NDArray[np.float32]:
    x, y = int(eye[0]), int(eye[1] - face.h * 0.088)
    part = base[max(0, y - 2) : y + 3, max(0, x - face.w // 16) : x + face.w // 16]
    if part.size == 0:
        return np.array((190, 150, 130), np.float32)
    return np.median(part.reshape(-1, 3), axis=0).astype(np.float32)


def openings(
    sounds: list[tuple[float, str]], loudness: NDArray[np.float64], fps: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """How far the mouth is open, and how rounded, in each frame: the sound said, weighed by its loudness."""
    frames = len(loudness)
    target, rounded = np.zeros(frames), np.zeros(frames)
    marks = [*sounds, (frames / fps + 1, "")]
    for (start, name), (end, _) in itertools.pairwise(marks):
        first, last = round(start * fps), max(round(start * fps) + 1, round(end * fps))
        target[first:last] = _width_of(name)
        rounded[first:last] = float(any(c in name for c in "ouʊɔwɒ"))
    wanted = target * (0.35 + 0.65 * loudness) * (loudness > 0.05)
    kernel = np.array([0.22, 0.56, 0.22])
    return np.convolve(wanted, kernel, "same"), np.convolve(rounded, kernel, "same")


def _width_of(name: str) -> float:
    if not name:
        return 0.0
    if any(c in name for c in "aɑæʌɐ"):
        return 1.0
    if any(c in name for c in "eɛɔoɒəɜ"):
        return 0.72
    if any(c in name for c in "iɪuʊy"):
        return 0.48
    if name[0] in "mpbfvʋ":
        return 0.0
    return 0.28
