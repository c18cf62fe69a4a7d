"""Flowers, near enough to count their petals, before a background far out of focus."""

import math

import numpy as np

from hortus_local.drawing.canvas import Canvas, Point, oval, smooth
from hortus_local.drawing.colour import Colour, mix
from hortus_local.drawing.scene import Scene

_WHITE: Colour = (1.0, 1.0, 1.0)


def paint_bokeh(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """A background far out of focus."""
    p, w, h = scene.palette, canvas.width, canvas.height
    down = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    canvas.rgb[:] = (
        np.array(mix(p.mid, p.leaf, 0.35), np.float32) * (1 - down)
        + np.array(mix(p.leaf, p.near, 0.6), np.float32) * down
    )
    canvas.glow(w * 0.3, h * 0.2, canvas.unit * 0.9, p.sun, 0.6)
    for _ in range(30):
        r = canvas.unit * float(rng.uniform(0.02, 0.09))
        x, y = w * float(rng.random()), h * float(rng.random())
        tone = mix([p.second, p.accent, p.low, p.leaf][int(rng.integers(4))], _WHITE, 0.3)
        canvas.shape(oval(x, y, r, r), tone, blur=r * 0.13, alpha=float(rng.uniform(0.06, 0.30)))


def paint_flowers(canvas: Canvas, scene: Scene) -> None:
    """One great flower and its smaller sisters before a soft background."""
    rng, w, h, u = scene.dice(50), canvas.width, canvas.height, canvas.unit
    paint_bokeh(canvas, scene, rng)
    many = scene.has("bouquet", "flowers", "roses", "tulips", "field", "garden", "sunflowers", "poppies")
    spots = [(0.5, 0.44, 0.27)]
    if many:
        spots = [(0.24, 0.34, 0.14), (0.80, 0.30, 0.15), (0.15, 0.66, 0.13), (0.84, 0.66, 0.15), (0.5, 0.47, 0.24)]
    else:
        spots.insert(0, (0.80 if scene.seed % 2 else 0.2, 0.25, 0.10))
    for k, (fx, fy, size) in enumerate(spots):
        x, y = w * (fx + float(rng.uniform(-0.03, 0.03))), h * (fy + float(rng.uniform(-0.03, 0.03)))
        _draw_stem(canvas, scene, rng, x, y, u * size)
        _draw_bloom(canvas, scene, rng, x, y, u * size, k)


def _draw_stem(canvas: Canvas, scene: Scene, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    p, h = scene.palette, canvas.height
    green = mix(mix(p.leaf, (0.2, 0.45, 0.15), 0.4), p.near, 0.25)
    foot = x + r * float(rng.uniform(-0.6, 0.6))
    stem = smooth([(x, y), (x + r * 0.15, y + (h - y) * 0.45), (foot, h * 1.03)], closed=False)
    canvas.taper(stem, green, r * 0.085, r * 0.13)
    canvas.taper([(a - r * 0.015, b) for a, b in stem], mix(green, p.sun, 0.5), r * 0.02, r * 0.03, alpha=0.6)
    for side in (-1, 1):
        bx, by = stem[len(stem) // 2 + side * 3]
        tip = (bx + side * r * 1.05, by - r * 0.35)
        leaf = smooth([(bx, by), (bx + side * r * 0.45, by - r * 0.42), tip, (bx + side * r * 0.60, by + r * 0.10)])
        canvas.shape(leaf, mix(green, p.sun, 0.32), to=mix(green, p.near, 0.5))
        canvas.line([(bx, by), tip], mix(green, p.sun, 0.55), r * 0.014, alpha=0.7)


def _draw_bloom(canvas: Canvas, scene: Scene, rng: np.random.Generator, x: float, y: float, r: float, k: int) -> None:
    p = scene.palette
    sunny = scene.has("sunflower", "sunflowers", "daisy", "marigold")
    petal = (
        (0.98, 0.74, 0.12)
        if scene.has("sunflower", "sunflowers", "marigold")
        else (0.98, 0.97, 0.94)
        if sunny
        else p.accent
    )
    petal = mix(petal, (0.92, 0.28, 0.42), 0.0 if sunny else 0.25 * (k % 2))
    rings = (
        ((1.0, 21, 0.13), (0.86, 21, 0.12))
        if sunny
        else ((1.0, 9, 0.36), (0.80, 8, 0.31), (0.60, 7, 0.25), (0.40, 6, 0.18))
    )
    canvas.shape(oval(x, y + r * 0.15, r, r), (0.0, 0.0, 0.0), blur=r * 0.16, alpha=0.20)
    for ring, (reach, count, wide) in enumerate(rings):
        start = float(rng.uniform(0, 1)) + ring * 0.4
        for i in range(count):
            a = math.tau * (i + start) / count + float(rng.normal(0, 0.04))
            long = r * reach * float(rng.uniform(0.92, 1.06))
            c, s = math.cos(a), math.sin(a)

            def at(u: float, v: float, c: float = c, s: float = s, long: float = long) -> Point:
                return (x + (u * c - v * s) * long, y + (u * s + v * c) * long * 0.94)

            shape = smooth(
                [
                    at(0.05, 0),
                    at(0.45, wide * 1.05),
                    at(0.86, wide * 0.85),
                    at(1.0, 0.0),
                    at(0.86, -wide * 0.85),
                    at(0.45, -wide * 1.05),
                ],
                steps=6,
            )
            lit = 0.5 - 0.5 * (c * 0.6 + s * 0.8)
            tone = mix(mix(petal, p.near, 0.34 - 0.08 * ring), mix(petal, _WHITE, 0.42), lit * 0.75 + 0.1 * ring)
            canvas.shape(
                [(px + r * 0.012, py + r * 0.022) for px, py in shape], (0.12, 0.0, 0.05), blur=r * 0.02, alpha=0.26
            )
            canvas.shape(shape, tone, alpha=0.97)
            canvas.shape(
                smooth([at(0.05, 0), at(0.4, wide * 0.5), at(0.62, 0), at(0.4, -wide * 0.5)], steps=6),
                mix(petal, p.near, 0.5),
                blur=r * 0.03,
                alpha=0.30,
            )
            canvas.line([at(0.2, 0), at(0.9, 0)], mix(tone, _WHITE, 0.5), max(r * 0.007, 0.8), alpha=0.4)
    heart = (0.28, 0.16, 0.08) if scene.has("sunflower", "sunflowers") else mix(p.second, (0.95, 0.72, 0.2), 0.5)
    core = r * (0.36 if sunny else 0.15)
    canvas.shape(oval(x, y, core, core * 0.94), mix(heart, _WHITE, 0.15), to=mix(heart, p.near, 0.45))
    for i in range(150 if sunny else 60):
        a, q = i * 2.39996, math.sqrt(i / (150 if sunny else 60)) * core * 0.95
        dot = mix(heart, (1.0, 0.85, 0.4), 0.55 * ((i * 7) % 5) / 4)
        canvas.shape(oval(x + math.cos(a) * q, y + math.sin(a) * q * 0.94, core * 0.055, core * 0.055, steps=8), dot)
