"""Smooth randomness: clouds, ridges, grain."""

import cv2
import numpy as np

from hortus_local.drawing.canvas import Floats


def clouds(
    rng: np.random.Generator, width: int, height: int, cells: float, octaves: int = 5, stretch: float = 1.0
) -> Floats:
    """Fractal noise from 0 to 1; `cells` across the shorter side, `stretch` draws it out sideways."""
    total = np.zeros((height, width), np.float32)
    weight, size = 1.0, float(min(width, height))
    for octave in range(octaves):
        fine = cells * 2**octave
        gw = max(int(width / size * fine / stretch), 1) + 3
        gh = max(int(height / size * fine), 1) + 3
        grid = rng.random((gh, gw), np.float32)
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        weight *= 0.5
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def ridge(rng: np.random.Generator, width: int, cells: float, octaves: int = 6, roughness: float = 0.5) -> Floats:
    """A line of heights from 0 to 1 across `width` pixels."""
    xs = np.arange(width, dtype=np.float32) / width
    total = np.zeros(width, np.float32)
    weight = 1.0
    for octave in range(octaves):
        count = int(cells * 2**octave) + 2
        knots = rng.random(count + 1).astype(np.float32)
        at = xs * (count - 1)
        i = at.astype(int)
        t = at - i
        t = t * t * (3 - 2 * t)
        total += weight * (knots[i] * (1 - t) + knots[i + 1] * t)
        weight *= roughness
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)
