"""Cities: towers in rows, windows that light up."""

import numpy as np

from hortus_local.drawing.canvas import Canvas
from hortus_local.drawing.colour import Colour, mix
from hortus_local.drawing.scene import Scene
from hortus_local.drawing.sky import is_night


def paint_city(canvas: Canvas, scene: Scene, horizon: float) -> None:
    """Rows of towers, hazy ones behind, sharp ones with windows before."""
    p, rng = scene.palette, scene.dice(30)
    w, h = canvas.width, canvas.height
    dark = is_night(scene)
    ground = h * horizon
    if dark:
        canvas.glow(w * 0.5, ground, w * 0.75, mix(p.accent, (1.0, 0.4, 0.6), 0.25), 0.42, 1.8)
    for row in range(4):
        depth = row / 3
        x = -w * 0.03
        while x < w * 1.03:
            wide = canvas.unit * float(rng.uniform(0.045, 0.105)) * (0.75 + 0.5 * depth)
            middle = 1 - abs((x + wide / 2) / w - 0.5) * 0.9
            tall = h * float(rng.uniform(0.12, 0.46)) * (1.0 - 0.42 * depth) * (0.55 + 0.55 * middle)
            tone = mix(mix(p.far, p.low, 0.45 * (1 - depth)), p.near, 0.15 + 0.75 * depth)
            _draw_tower(canvas, scene, rng, x, ground, wide, tall, tone, depth)
            x += wide * float(rng.uniform(0.95, 1.35))
        haze = np.clip(1 - np.abs(np.arange(h, dtype=np.float32) - ground) / (h * 0.22), 0, 1) ** 2 * 0.35 * (1 - depth)
        canvas.cover(np.repeat(haze[:, None], w, 1), mix(p.low, p.accent, 0.35 if dark else 0.05))


def _draw_tower(canvas: Canvas, scene: Scene, rng: np.random.Generator, x: float, ground: float, wide: float, tall: float,
                tone: Colour, depth: float) -> None:  # fmt: skip
    p = scene.palette
    top, right = ground - tall, x + wide
    outline = [(x, canvas.height), (x, top), (right, top), (right, canvas.height)]
    kind = int(rng.integers(0, 5))
    if kind == 0:
        outline[1:3] = [(x, top), (x + wide * 0.5, top - wide * 0.55), (right, top)]
    elif kind == 1:
        outline[1:3] = [
            (x, top),
            (x + wide * 0.22, top),
            (x + wide * 0.22, top - wide * 0.4),
            (x + wide * 0.78, top - wide * 0.4),
            (x + wide * 0.78, top),
            (right, top),
        ]
    canvas.shape(outline, tone, to=mix(tone, p.near, 0.35))
    canvas.shape([(x + wide * 0.68, canvas.height), (x + wide * 0.68, top), (right, top), (right, canvas.height)],
                 mix(tone, (0.0, 0.0, 0.02), 0.5), alpha=0.45)  # fmt: skip
    if kind == 2:
        canvas.line([(x + wide * 0.5, top), (x + wide * 0.5, top - wide * 0.7)], tone, max(wide * 0.04, 1.2))
    if depth > 0.2:
        _light_windows(canvas, scene, rng, (x, top, right, ground), tone, depth)


def _light_windows(canvas: Canvas, scene: Scene, rng: np.random.Generator, box: tuple[float, float, float, float],
                   tone: Colour, depth: float) -> None:  # fmt: skip
    """Windows straight into the pixels: there are thousands."""
    p, dark = scene.palette, is_night(scene)
    pitch = max(canvas.unit * 0.0125 * (0.6 + 0.55 * depth), 3.0)
    size = max(int(pitch * 0.52), 1)
    lit = mix(p.accent, (1.0, 0.93, 0.75), 0.45)
    glass = mix(tone, p.mid, 0.45)
    chance = 0.42 if dark else 0.12
    for y in np.arange(box[1] + pitch, min(box[3], canvas.height) - pitch, pitch * 1.25):
        for x in np.arange(box[0] + pitch * 0.7, box[2] - pitch * 0.6, pitch):
            roll = float(rng.random())
            if roll > 0.86 or x < 0:
                continue
            colour = lit if roll < chance else glass
            part = canvas.rgb[int(y) : int(y) + size + 1, int(x) : int(x) + size]
            part += (np.array(colour, np.float32) - part) * (0.35 + 0.6 * float(rng.random()) if roll < chance else 0.4)
