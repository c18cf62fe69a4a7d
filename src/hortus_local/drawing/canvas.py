"""A canvas of floats to paint soft and sharp shapes on."""

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hortus_local.drawing.colour import Colour

Floats = NDArray[Any]
"""Numbers of single precision; NumPy's types cannot follow every sum."""
Point = tuple[float, float]
Points = Sequence[Point]
_SHIFT = 4
_FINE = 1 << _SHIFT


def smooth(points: Points, *, closed: bool = True, steps: int = 10) -> list[Point]:
    """A Catmull-Rom curve through the points."""
    n = len(points)
    ring = list(points)
    curve: list[Point] = []
    for i in range(n if closed else n - 1):
        if closed:
            p0, p1, p2, p3 = ring[i - 1], ring[i], ring[(i + 1) % n], ring[(i + 2) % n]
        else:
            p0, p1, p2, p3 = ring[max(i - 1, 0)], ring[i], ring[i + 1], ring[min(i + 2, n - 1)]
        for k in range(steps):
            t = k / steps
            a, b, c = t * t * t, t * t, t
            w = (-0.5 * a + b - 0.5 * c, 1.5 * a - 2.5 * b + 1, -1.5 * a + 2 * b + 0.5 * c, 0.5 * a - 0.5 * b)
            curve.append((
                w[0] * p0[0] + w[1] * p1[0] + w[2] * p2[0] + w[3] * p3[0],
                w[0] * p0[1] + w[1] * p1[1] + w[2] * p2[1] + w[3] * p3[1],
            ))  # fmt: skip
    return curve if closed else [*curve, ring[-1]]


def oval(x: float, y: float, rx: float, ry: float, turn: float = 0.0, steps: int = 48) -> list[Point]:
    """The outline of an ellipse; `turn` in degrees."""
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    outline = []
    for i in range(steps):
        u, v = rx * math.cos(math.tau * i / steps), ry * math.sin(math.tau * i / steps)
        outline.append((x + u * c - v * s, y + u * s + v * c))
    return outline


class Canvas:
    """`width` x `height` pixels of RGB from 0 to 1. Coordinates are pixels; anything outside is cut off."""

    def __init__(self, width: int, height: int, colour: Colour = (1.0, 1.0, 1.0)) -> None:
        self.width, self.height = width, height
        self.unit = float(min(width, height))
        self.rgb: Floats = np.empty((height, width, 3), np.float32)
        self.rgb[:] = colour

    def shape(
        self,
        points: Points,
        colour: Colour,
        *,
        to: Colour | None = None,
        blur: float = 0.0,
        alpha: float = 1.0,
        inside: Floats | None = None,
    ) -> None:
        """Fill a polygon; `to` makes a gradient downwards, `inside` keeps within a mask, `blur` is in pixels."""
        box = self._box(points, blur * 3 + 2)
        if box is None:
            return
        x0, y0, x1, y1 = box
        mask = self._cover(points, box, blur)
        if inside is not None:
            mask = mask * inside[y0:y1, x0:x1]
        paint = np.array(colour, np.float32)[None, None]
        if to is not None:
            top = min(p[1] for p in points)
            span = max(max(p[1] for p in points) - top, 1.0)
            share = np.clip((np.arange(y0, y1, dtype=np.float32) - top) / span, 0, 1)[:, None, None]
            paint = paint + (np.array(to, np.float32) - paint) * share
        part = self.rgb[y0:y1, x0:x1]
        part += (paint - part) * (mask * alpha)[:, :, None]

    def mask(self, points: Points, blur: float = 0.0) -> Floats:
        """How much of each pixel of the whole canvas the polygon covers."""
        return self._cover(points, (0, 0, self.width, self.height), blur)

    def line(self, points: Points, colour: Colour, width: float, *, alpha: float = 1.0, blur: float = 0.0) -> None:
        """A round line through the points, `width` pixels thick."""
        box = self._box(points, width + blur * 3 + 2)
        if box is None:
            return
        x0, y0, x1, y1 = box
        plane = np.zeros((y1 - y0, x1 - x0), np.uint8)
        path = np.round((np.array(points) - (x0, y0)) * _FINE).astype(np.int32)
        strength = min(width, 1.0)
        cv2.polylines(plane, [path], False, 255, max(round(width), 1), cv2.LINE_AA, _SHIFT)
        mask = plane.astype(np.float32) * (strength / 255)
        if blur:
            mask = cv2.GaussianBlur(mask, (0, 0), blur).astype(np.float32)
        part = self.rgb[y0:y1, x0:x1]
        part += (np.array(colour, np.float32) - part) * (mask * alpha)[:, :, None]

    def taper(self, points: Points, colour: Colour, start: float, end: float, *, alpha: float = 1.0) -> None:
        """A line that is `start` pixels thick at its beginning and `end` at its end."""
        left, right = [], []
        last = len(points) - 1
        for i, (x, y) in enumerate(points):
            a, b = points[max(i - 1, 0)], points[min(i + 1, last)]
            dx, dy = b[0] - a[0], b[1] - a[1]
            length = math.hypot(dx, dy) or 1.0
            half = (start + (end - start) * i / max(last, 1)) / 2
            left.append((x - dy / length * half, y + dx / length * half))
            right.append((x + dy / length * half, y - dx / length * half))
        self.shape(left + right[::-1], colour, alpha=alpha)

    def glow(self, x: float, y: float, radius: float, colour: Colour, alpha: float = 1.0, power: float = 2.0) -> None:
        """Light that fades out at `radius`; it can only brighten."""
        x0, x1 = max(int(x - radius), 0), min(int(x + radius) + 1, self.width)
        y0, y1 = max(int(y - radius), 0), min(int(y + radius) + 1, self.height)
        if x0 >= x1 or y0 >= y1:
            return
        dx = (np.arange(x0, x1, dtype=np.float32) - x)[None, :] / radius
        dy = (np.arange(y0, y1, dtype=np.float32) - y)[:, None] / radius
        near = np.clip(1 - np.sqrt(dx * dx + dy * dy), 0, 1) ** power * alpha
        part = self.rgb[y0:y1, x0:x1]
        part += (1 - part) * (near[:, :, None] * np.array(colour, np.float32))

    def cover(self, mask: Floats, colour: Colour | Floats) -> None:
        """Blend a colour, or a whole image, over the canvas by a mask of its size."""
        self.rgb += (np.asarray(colour, np.float32) - self.rgb) * mask[:, :, None]

    def _box(self, points: Points, margin: float) -> tuple[int, int, int, int] | None:
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        x0, x1 = max(int(min(xs) - margin), 0), min(int(max(xs) + margin) + 2, self.width)
        y0, y1 = max(int(min(ys) - margin), 0), min(int(max(ys) + margin) + 2, self.height)
        return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None

    def _cover(self, points: Points, box: tuple[int, int, int, int], blur: float) -> Floats:
        x0, y0, x1, y1 = box
        plane = np.zeros((y1 - y0, x1 - x0), np.uint8)
        path = np.round((np.array(points, np.float64) - (x0, y0)) * _FINE).astype(np.int32)
        cv2.fillPoly(plane, [path], 255, cv2.LINE_AA, _SHIFT)
        mask = plane.astype(np.float32) * np.float32(1 / 255)
        return cv2.GaussianBlur(mask, (0, 0), blur).astype(np.float32) if blur > 0.3 else mask
