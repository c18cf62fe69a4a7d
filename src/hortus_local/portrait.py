"""The sample portrait of the package: drawn by this code, so it is ours to give away."""

import math
from pathlib import Path

import cv2
import numpy as np

from hortus_local.drawing.canvas import Canvas, smooth
from hortus_local.drawing.colour import Colour, mix
from hortus_local.drawing.person import HAIRS, SKINS, Looks, draw_person

SIDE = 768


def draw_portrait(path: Path, looks: Looks | None = None) -> None:
    """Write a PNG of 768 x 768: a friendly person before a wall with leaves."""
    canvas = Canvas(SIDE * 2, SIDE * 2)
    draw_backdrop(canvas, (0.93, 0.80, 0.62), (0.80, 0.56, 0.44), (0.45, 0.53, 0.36), seed=3)
    chosen = looks or Looks(skin=SKINS[1], hair=HAIRS["brown"], clothes=(0.10, 0.40, 0.42))
    side = SIDE * 2 * 0.97
    draw_person(canvas, (SIDE * 2 - side) / 2, SIDE * 2 - side, side, chosen)
    grain = np.random.default_rng(1).normal(0, 0.008, (SIDE, SIDE, 1)).astype(np.float32)
    small = cv2.resize(canvas.rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA) + grain
    image = np.clip(small * 255 + 0.5, 0, 255).astype(np.uint8)
    cv2.imwrite(str(path), image[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])


def draw_backdrop(canvas: Canvas, light: Colour, dark: Colour, leaf: Colour, seed: int) -> None:
    """A warm wall, lit from the upper left, with soft leaves at the sides."""
    width, height, unit = canvas.width, canvas.height, canvas.unit
    across = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    share = np.clip(across * 0.45 + down * 0.75 - 0.1, 0, 1)
    canvas.rgb[:] = np.array(light, np.float32) * (1 - share) + np.array(dark, np.float32) * share
    canvas.glow(width * 0.28, height * 0.22, unit * 0.7, (1.0, 0.95, 0.85), 0.55)
    rng = np.random.default_rng(seed)
    for i in range(26):
        left = i % 2 == 0
        x = width * (rng.uniform(-0.03, 0.20) if left else rng.uniform(0.80, 1.03))
        y = height * rng.uniform(0.05, 0.95)
        depth = float(rng.uniform(0, 1))
        length = unit * (0.12 + 0.12 * depth)
        turn = math.radians(float(rng.uniform(-70, 70)) + (0 if left else 180))
        dx, dy = math.cos(turn) * length, math.sin(turn) * length
        nx, ny = -dy * 0.26, dx * 0.26
        blade = smooth(
            [(x, y), (x + dx * 0.4 + nx, y + dy * 0.4 + ny), (x + dx, y + dy), (x + dx * 0.4 - nx, y + dy * 0.4 - ny)]
        )
        tone = mix(mix(leaf, dark, 0.55 - 0.4 * depth), (1.0, 0.95, 0.7), float(rng.uniform(0, 0.18)))
        canvas.shape(blade, tone, blur=unit * 0.010 * (1.15 - depth), alpha=0.55 + 0.4 * depth)
        canvas.line([(x, y), (x + dx * 0.9, y + dy * 0.9)], mix(tone, light, 0.4), unit * 0.003, alpha=0.5 * depth)


if __name__ == "__main__":
    draw_portrait(Path("portrait.png"))
