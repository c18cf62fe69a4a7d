"""Detection of a face and its parts in a photo."""

from dataclasses import dataclass

import cv2
import numpy as np

from hortus_local.images import Pixels

_SEEN_AT = 480
"""Pixels of the longer side at which faces are sought; more is slower and finds no better."""


@dataclass(frozen=True, slots=True)
class Eye:
    """The middle of an eye and half its width, in pixels."""

    x: float
    y: float
    reach: float


@dataclass(frozen=True, slots=True)
class Face:
    """Where the parts of a face are, in pixels of the image it was found in."""

    x: float
    y: float
    size: float
    mouth_x: float
    mouth_y: float
    mouth_reach: float
    eyes: tuple[Eye, ...]


def find_face(pixels: Pixels) -> Face | None:
    """The largest face that looks at the viewer, or None."""
    height, width = pixels.shape[:2]
    scale = min(_SEEN_AT / max(height, width), 1.0)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    least = max(round(min(small.shape) * 0.12), 24)
    boxes = []
    for name, neighbours in (("frontalface_default", 6), ("frontalface_alt2", 3)):
        found = _cascade(name).detectMultiScale(cv2.equalizeHist(small), 1.1, neighbours, minSize=(least, least))
        boxes = [tuple(int(v) for v in box) for box in found]
        if boxes:
            break
    if not boxes:
        return None
    bx, by, bw, bh = max(boxes, key=lambda box: box[2] * box[3])
    x, y, size = bx / scale, by / scale, (bw + bh) / 2 / scale
    eyes = _find_eyes(small[by : by + bh, bx : bx + bw], bx, by, scale)
    middle = sum(eye.x for eye in eyes) / 2 if len(eyes) == 2 else x + size / 2
    mouth_y = _find_mouth(pixels, middle, y, size)
    return Face(x, y, size, middle, mouth_y, size * 0.185, eyes)


def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_{name}.xml")


def _find_eyes(face: np.ndarray, left: int, top: int, scale: float) -> tuple[Eye, ...]:
    """Both eyes, or none: a blink in the wrong place is worse than no blink."""
    size = face.shape[0]
    wanted = 180 / max(size, 1)
    band = cv2.resize(face[int(size * 0.15) : int(size * 0.58)], None, fx=wanted, fy=wanted)
    pairs: list[Eye] = []
    for start, stop in ((0.05, 0.52), (0.48, 0.95)):
        x0 = int(band.shape[1] * start)
        part = np.ascontiguousarray(band[:, x0 : int(band.shape[1] * stop)])
        found = _cascade("eye").detectMultiScale(part, 1.08, 4, minSize=(28, 28), maxSize=(80, 80))
        if not len(found):
            return ()
        ex, ey, ew, eh = (float(v) for v in max(found, key=lambda box: box[2]))
        px = (x0 + ex + ew / 2) / wanted
        py = size * 0.15 + _dark_row(part, ex, ey, ew, eh) / wanted
        pairs.append(Eye((left + px) / scale, (top + py) / scale, ew * 0.34 / wanted / scale))
    apart = pairs[1].x - pairs[0].x
    level = abs(pairs[1].y - pairs[0].y)
    if not size * 0.25 < apart * scale < size * 0.65 or level > apart * 0.3:
        return ()
    reach = (pairs[0].reach + pairs[1].reach) / 2
    return tuple(Eye(eye.x, eye.y, min(reach, apart * 0.24)) for eye in pairs)


def _dark_row(part: np.ndarray, x: float, y: float, w: float, h: float) -> float:
    """The row of the pupil: the darkest near the middle of an eye's box (brows are dark too, but higher)."""
    y0, y1 = int(y + h * 0.36), int(y + h * 0.78)
    rows = part[y0:y1, int(x + w * 0.42) : int(x + w * 0.58)].astype(np.float32).mean(axis=1)
    if rows.size < 3:
        return y + h * 0.55
    dark = rows < (rows.min() + rows.max()) / 2
    return y0 + float(np.flatnonzero(dark).mean())


def _find_mouth(pixels: Pixels, middle: float, top: float, size: float) -> float:
    """The line between the lips: dark and redder than the skin around, near where mouths are."""
    y0, y1 = int(top + size * 0.66), int(min(top + size * 0.92, pixels.shape[0]))
    x0, x1 = int(max(middle - size * 0.14, 0)), int(middle + size * 0.14)
    patch = pixels[y0:y1, x0:x1]
    likely = top + size * 0.785
    if patch.shape[0] < 8 or patch.shape[1] < 8:
        return likely
    lab = cv2.cvtColor(patch, cv2.COLOR_RGB2LAB).astype(np.float32)
    light, red = lab[:, :, 0].mean(axis=1), lab[:, :, 1].mean(axis=1)
    fine = max(size * 0.006, 0.8)
    dark = (
        cv2.GaussianBlur(light[:, None], (0, 0), fine * 4)[:, 0] - cv2.GaussianBlur(light[:, None], (0, 0), fine)[:, 0]
    )
    rows = np.arange(y0, y0 + len(light), dtype=np.float32)
    prior = np.exp(-(((rows - likely) / (size * 0.07)) ** 2))
    score = (dark / (float(dark.std()) + 1e-3) + 0.8 * (red - red.mean()) / (float(red.std()) + 1e-3) + 3) * prior
    return float(rows[int(score.argmax())])
