"""The camera of a video: a photo placed in the frame, and slow moves over it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from hortus_local.face import Face
from hortus_local.images import Pixels

_MOST_LOST = 0.30
"""Share of the photo that may be cut off to fill the frame; beyond that it is placed on a blurred copy."""


class Camera:
    """A frame of `width` x `height` with a place for a photo of `inner` size, prepared once."""

    def __init__(self, photo: Pixels, width: int, height: int, face: Face | None = None) -> None:
        h, w = photo.shape[:2]
        cover = max(width / w, height / h)
        lost = 1 - (width * height) / (w * h * cover * cover)
        filled = lost <= _MOST_LOST
        scale = cover if filled else min(width / w, height / h)
        self.width, self.height = width, height
        sized = resize(photo, max(round(w * scale), 1), max(round(h * scale), 1))
        if filled:
            middle = (face.x + face.size / 2, face.y + face.size * 0.62) if face else (w / 2, h / 2)
            left = _keep(middle[0] * scale - width / 2, sized.shape[1] - width)
            top = _keep(middle[1] * scale - height / 2, sized.shape[0] - height)
            self.inner = np.ascontiguousarray(sized[top : top + height, left : left + width])
            self._place = (0, 0)
        else:
            self.inner = sized
            self._place = ((width - sized.shape[1]) // 2, (height - sized.shape[0]) // 2)
        self._filled = filled and self.inner.shape[:2] == (height, width)
        self._backdrop = _blur_behind(photo, width, height)
        if not self._filled:
            _cast_shadow(self._backdrop, self._place, self.inner.shape[1], self.inner.shape[0])

    def show(self, inner: Pixels) -> Pixels:
        """The whole frame with this image in the photo's place; yours to draw on."""
        if self._filled:
            return inner.copy()
        frame = self._backdrop.copy()
        x, y = self._place
        frame[y : y + inner.shape[0], x : x + inner.shape[1]] = inner
        return frame


def resize(photo: Pixels, width: int, height: int) -> Pixels:
    """The photo at another size, without jagged edges either way."""
    smaller = width < photo.shape[1]
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def travel(photo: Pixels, width: int, height: int, share: float, seed: int) -> Pixels:
    """A slow move over a photo: the view at `share` of the way (0 to 1), filling `width` x `height`."""
    h, w = photo.shape[:2]
    inward = seed % 2 == 0
    near = 1.0 + 0.16 * (share if inward else 1 - share)
    angle = (seed * 2.399) % 6.283
    drift = 0.05 * (share - 0.5)
    scale = max(width / w, height / h) * near
    cx, cy = w * (0.5 + drift * np.cos(angle)), h * (0.5 + drift * np.sin(angle))
    cx = float(np.clip(cx, width / scale / 2, w - width / scale / 2))
    cy = float(np.clip(cy, height / scale / 2, h - height / scale / 2))
    move = np.array([[scale, 0, width / 2 - cx * scale], [0, scale, height / 2 - cy * scale]])
    return cv2.warpAffine(photo, move, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def draw_voice(frame: Pixels, levels: NDArray[np.float64], i: int, y: float = 0.79) -> None:
    """A small row of bars that dance with the voice, in place; `y` is the share of the height."""
    height, width = frame.shape[:2]
    bars, pitch = 21, max(round(width * 0.013), 4)
    left, middle = (width - bars * pitch) // 2, int(height * y)
    for k in range(bars):
        at = i - abs(k - bars // 2)
        level = float(levels[at]) if 0 <= at < len(levels) else 0.0
        half = round(height * (0.004 + 0.028 * level * (1 - abs(k - bars // 2) / bars)))
        x = left + k * pitch
        part = frame[middle - half : middle + half + 1, x : x + max(pitch // 2, 2)]
        part[:] = (part * 0.15 + 255 * 0.85).astype(np.uint8)


def _keep(start: float, most: int) -> int:
    return int(min(max(start, 0), max(most, 0)))


def _blur_behind(photo: Pixels, width: int, height: int) -> Pixels:
    h, w = photo.shape[:2]
    scale = max(width / w, height / h) * 1.15
    sized = resize(photo, max(round(w * scale), width), max(round(h * scale), height))
    y, x = (sized.shape[0] - height) // 2, (sized.shape[1] - width) // 2
    part = cv2.GaussianBlur(sized[y : y + height, x : x + width], (0, 0), min(width, height) * 0.045)
    return (part.astype(np.float32) * 0.62).astype(np.uint8)


def _cast_shadow(frame: Pixels, place: tuple[int, int], width: int, height: int) -> None:
    mask = np.zeros(frame.shape[:2], np.float32)
    mask[place[1] : place[1] + height, place[0] : place[0] + width] = 0.6
    soft = cv2.GaussianBlur(mask, (0, 0), 12)[:, :, None]
    frame[:] = (frame * (1 - soft)).astype(np.uint8)
