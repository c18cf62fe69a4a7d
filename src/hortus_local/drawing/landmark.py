"""Things people built in the country: houses, castles, lighthouses, and balloons above them."""

import math

from hortus_local.drawing.canvas import Canvas, oval
from hortus_local.drawing.colour import Colour, mix
from hortus_local.drawing.scene import Scene
from hortus_local.drawing.sky import is_night


def draw_house(canvas: Canvas, scene: Scene, x: float, y: float, size: float) -> None:
    """A small house with a lit window and smoke; `y` is its ground."""
    p = scene.palette
    wall = mix(mix((0.94, 0.88, 0.78), p.low, 0.25), p.near, 0.30 if is_night(scene) else 0.05)
    roof = mix(p.accent, p.near, 0.30)
    side = mix(wall, p.near, 0.35)
    canvas.shape(oval(x, y, size * 0.75, size * 0.08), p.near, blur=size * 0.06, alpha=0.5)
    canvas.shape(
        [
            (x + size * 0.25, y - size * 0.95),
            (x + size * 0.36, y - size * 0.95),
            (x + size * 0.36, y - size * 0.6),
            (x + size * 0.25, y - size * 0.6),
        ],
        side,
    )
    canvas.shape(
        [
            (x - size * 0.5, y),
            (x - size * 0.5, y - size * 0.42),
            (x + size * 0.1, y - size * 0.42),
            (x + size * 0.1, y),
        ],
        wall,
        to=mix(wall, p.near, 0.2),
    )
    canvas.shape(
        [
            (x + size * 0.1, y),
            (x + size * 0.1, y - size * 0.42),
            (x + size * 0.33, y - size * 0.78),
            (x + size * 0.56, y - size * 0.42),
            (x + size * 0.56, y),
        ],
        side,
        to=mix(side, p.near, 0.25),
    )
    canvas.shape(
        [
            (x - size * 0.58, y - size * 0.40),
            (x - size * 0.30, y - size * 0.82),
            (x + size * 0.34, y - size * 0.82),
            (x + size * 0.08, y - size * 0.40),
        ],
        roof,
        to=mix(roof, p.near, 0.3),
    )
    canvas.line(
        [(x + size * 0.07, y - size * 0.38), (x + size * 0.33, y - size * 0.82), (x + size * 0.60, y - size * 0.38)],
        mix(roof, p.near, 0.4),
        size * 0.045,
    )
    _draw_windows_and_door(canvas, scene, x, y, size, mix(p.near, roof, 0.4))
    _draw_smoke(canvas, scene, x, y, size)


def _draw_windows_and_door(canvas: Canvas, scene: Scene, x: float, y: float, size: float, door: Colour) -> None:
    p = scene.palette
    lit = mix(p.second, (1.0, 0.92, 0.65), 0.6)
    for wx, wy in ((-0.38, -0.29), (-0.13, -0.29), (0.28, -0.36)):
        canvas.glow(x + wx * size + size * 0.06, y + wy * size + size * 0.06, size * 0.3, lit, 0.35)
        canvas.shape(
            [
                (x + wx * size, y + wy * size),
                (x + (wx + 0.12) * size, y + wy * size),
                (x + (wx + 0.12) * size, y + (wy + 0.13) * size),
                (x + wx * size, y + (wy + 0.13) * size),
            ],
            lit,
        )
    canvas.shape(
        [
            (x + size * 0.27, y),
            (x + size * 0.27, y - size * 0.19),
            (x + size * 0.40, y - size * 0.19),
            (x + size * 0.40, y),
        ],
        door,
    )


def _draw_smoke(canvas: Canvas, scene: Scene, x: float, y: float, size: float) -> None:
    p = scene.palette
    for k in range(7):
        canvas.shape(oval(x + size * (0.31 + 0.05 * k + 0.03 * math.sin(k * 2)), y - size * (1.02 + 0.11 * k), size * (0.05 + 0.02 * k), size * (0.04 + 0.016 * k)),
                     mix((0.95, 0.95, 0.97), p.mid, 0.3), blur=size * 0.03, alpha=0.5 - 0.05 * k)  # fmt: skip


def draw_castle(canvas: Canvas, scene: Scene, x: float, y: float, size: float) -> None:
    """A castle of five towers against the sky."""
    p = scene.palette
    stone = mix(mix(p.far, p.near, 0.45), (0.6, 0.55, 0.5), 0.2)
    for dx, wide, tall in (
        (-0.42, 0.15, 0.60),
        (0.30, 0.15, 0.66),
        (-0.20, 0.17, 0.86),
        (0.09, 0.16, 0.78),
        (-0.07, 0.18, 1.10),
    ):
        left, top = x + dx * size, y - tall * size
        canvas.shape(
            [(left, y), (left, top), (left + wide * size, top), (left + wide * size, y)],
            mix(stone, p.low, 0.12),
            to=mix(stone, p.near, 0.3),
        )
        canvas.shape(
            [
                (left - 0.03 * size, top),
                (left + wide * size / 2, top - 0.24 * size),
                (left + (wide + 0.03) * size, top),
            ],
            mix(p.accent, p.near, 0.35),
        )
        canvas.shape(
            oval(left + wide * size / 2, top + 0.12 * size, 0.018 * size, 0.035 * size, steps=16),
            mix(p.second, (1.0, 0.95, 0.7), 0.5),
        )
    _draw_castle_wall(canvas, scene, x, y, size, stone)


def _draw_castle_wall(canvas: Canvas, scene: Scene, x: float, y: float, size: float, stone: Colour) -> None:
    """The wall before the towers, with battlements and a gate."""
    p = scene.palette
    canvas.shape(
        [
            (x - 0.5 * size, y + 0.05 * size),
            (x - 0.5 * size, y - 0.34 * size),
            (x + 0.5 * size, y - 0.34 * size),
            (x + 0.5 * size, y + 0.05 * size),
        ],
        stone,
        to=mix(stone, p.near, 0.45),
    )
    for k in range(11):
        left = x + (-0.5 + k * 0.0935) * size
        canvas.shape(
            [
                (left, y - 0.33 * size),
                (left, y - 0.38 * size),
                (left + 0.05 * size, y - 0.38 * size),
                (left + 0.05 * size, y - 0.33 * size),
            ],
            stone,
        )
    canvas.shape(
        [*oval(x + 0.02 * size, y - 0.12 * size, 0.07 * size, 0.09 * size, steps=24)], mix(p.near, (0.0, 0.0, 0.0), 0.4)
    )
    canvas.shape(
        [
            (x - 0.05 * size, y + 0.05 * size),
            (x - 0.05 * size, y - 0.12 * size),
            (x + 0.09 * size, y - 0.12 * size),
            (x + 0.09 * size, y + 0.05 * size),
        ],
        mix(p.near, (0.0, 0.0, 0.0), 0.4),
    )


def draw_balloon(canvas: Canvas, scene: Scene, x: float, y: float, size: float) -> None:
    """A hot-air balloon with stripes."""
    p = scene.palette
    for k in range(7):
        share = 1 - k / 7 * 2
        tone = p.accent if k % 2 == 0 else mix(p.second, (1.0, 1.0, 1.0), 0.25)
        wide = abs(share) * size * 0.5 if k < 6 else size * 0.08
        outline = oval(x, y, max(wide, size * 0.1), size * 0.56)
        canvas.shape([(px, py + max(0.0, (py - y)) * 0.25) for px, py in outline], tone, to=mix(tone, p.near, 0.35))
        if share < 0:
            break
    canvas.glow(x - size * 0.16, y - size * 0.2, size * 0.35, (1.0, 1.0, 1.0), 0.35)
    for dx in (-0.09, 0.09):
        canvas.line(
            [(x + dx * size * 1.2, y + size * 0.64), (x + dx * size, y + size * 0.82)], p.near, max(size * 0.012, 1)
        )
    canvas.shape(
        [
            (x - size * 0.1, y + size * 0.82),
            (x + size * 0.1, y + size * 0.82),
            (x + size * 0.08, y + size * 0.96),
            (x - size * 0.08, y + size * 0.96),
        ],
        mix((0.5, 0.33, 0.18), p.near, 0.3),
    )


def draw_lighthouse(canvas: Canvas, scene: Scene, x: float, y: float, size: float) -> None:
    """A striped lighthouse on a rock, its beam going out at night."""
    p = scene.palette
    rock = mix(p.near, p.far, 0.25)
    if is_night(scene):
        for side in (-1, 1):
            canvas.shape(
                [(x, y - size * 1.12), (x + side * size * 3, y - size * 1.6), (x + side * size * 3, y - size * 0.8)],
                p.accent,
                blur=size * 0.05,
                alpha=0.25,
            )
    for k in range(5):
        a, b = 0.11 - 0.010 * k, 0.11 - 0.010 * (k + 1)
        tone = mix((0.96, 0.94, 0.90), p.low, 0.2) if k % 2 == 0 else mix(p.accent, (0.8, 0.15, 0.12), 0.4)
        canvas.shape(
            [
                (x - a * size, y - size * 0.2 * k),
                (x - b * size, y - size * 0.2 * (k + 1)),
                (x + b * size, y - size * 0.2 * (k + 1)),
                (x + a * size, y - size * 0.2 * k),
            ],
            tone,
        )
    canvas.shape([(x, y), (x, y - size), (x + 0.06 * size, y - size), (x + 0.11 * size, y)], p.near, alpha=0.35)
    canvas.shape(
        [
            (x - 0.09 * size, y - size),
            (x + 0.09 * size, y - size),
            (x + 0.09 * size, y - size * 1.03),
            (x - 0.09 * size, y - size * 1.03),
        ],
        p.near,
    )
    canvas.shape(
        [
            (x - 0.05 * size, y - size * 1.03),
            (x + 0.05 * size, y - size * 1.03),
            (x + 0.05 * size, y - size * 1.15),
            (x - 0.05 * size, y - size * 1.15),
        ],
        mix(p.second, (1.0, 1.0, 0.85), 0.6),
    )
    canvas.shape(
        [(x - 0.075 * size, y - size * 1.15), (x, y - size * 1.26), (x + 0.075 * size, y - size * 1.15)],
        mix(p.accent, p.near, 0.4),
    )
    canvas.glow(x, y - size * 1.09, size * 0.5, p.second, 0.6)
    rocks = [
        (x - 0.55 * size, y + 0.13 * size),
        (x - 0.36 * size, y + 0.01 * size),
        (x - 0.15 * size, y - 0.06 * size),
        (x + 0.16 * size, y - 0.05 * size),
        (x + 0.40 * size, y + 0.02 * size),
        (x + 0.62 * size, y + 0.13 * size),
    ]
    canvas.shape(rocks, mix(rock, p.low, 0.15), to=p.near)
