"""Still lifes: fruit, a cup or a vase on a table."""

import math

import numpy as np

from hortus_local.drawing.canvas import Canvas, Point, oval, smooth
from hortus_local.drawing.colour import Colour, mix
from hortus_local.drawing.scene import Scene

_WHITE: Colour = (1.0, 1.0, 1.0)


def paint_still_life(canvas: Canvas, scene: Scene) -> None:
    """A table by a wall with the objects that the prompt names."""
    p, rng, w, h, u = scene.palette, scene.dice(51), canvas.width, canvas.height, canvas.unit
    wall, cloth = mix(mix(p.far, p.mid, 0.4), p.near, 0.25), mix(mix((0.62, 0.42, 0.27), p.accent, 0.12), p.near, 0.12)
    canvas.rgb[:] = wall
    canvas.glow(w * 0.22, h * 0.20, u * 1.0, mix(p.sun, (1.0, 0.9, 0.75), 0.5), 0.55)
    canvas.shape(
        [(w * 0.55, 0), (w * 0.75, 0), (w * 0.98, h * 0.66), (w * 0.7, h * 0.66)], p.sun, blur=u * 0.03, alpha=0.14
    )
    edge = h * 0.64
    canvas.shape([(0, edge), (w, edge), (w, h), (0, h)], mix(cloth, _WHITE, 0.20), to=mix(cloth, p.near, 0.55))
    canvas.line([(0, edge), (w, edge)], mix(cloth, _WHITE, 0.5), u * 0.004, alpha=0.7)
    for k in range(26):
        y = edge + (h - edge) * (k / 26) ** 1.4
        canvas.line([(0, y), (w, y + float(rng.normal(0, 3)))], mix(cloth, p.near, 0.6), u * 0.002, alpha=0.20)
    if scene.has("coffee", "tea", "cup", "mug", "breakfast"):
        _draw_cup(canvas, scene, w * 0.46, h * 0.80, u * 0.25)
        _draw_fruit(canvas, scene, w * 0.76, h * 0.83, u * 0.085, (0.90, 0.30, 0.20))
        return
    _draw_vase(canvas, scene, w * 0.34, h * 0.80, u * 0.44)
    fruits = {"lemon": (0.97, 0.83, 0.22), "lemons": (0.97, 0.83, 0.22), "orange": (0.97, 0.55, 0.12), "oranges": (0.97, 0.55, 0.12),
              "pear": (0.74, 0.76, 0.28), "pears": (0.74, 0.76, 0.28), "mango": (0.98, 0.65, 0.20)}  # fmt: skip
    named = next((fruits[word] for word in scene.words if word in fruits), None)
    for k, (fx, fy, r) in enumerate(((0.82, 0.79, 0.095), (0.56, 0.80, 0.105), (0.70, 0.87, 0.115))):
        _draw_fruit(
            canvas,
            scene,
            w * fx,
            h * fy,
            u * r,
            named or ((0.90, 0.62, 0.16), (0.80, 0.17, 0.13), (0.62, 0.70, 0.22))[k],
        )


def _draw_fruit(canvas: Canvas, scene: Scene, x: float, y: float, r: float, tone: Colour) -> None:
    p = scene.palette
    canvas.shape(oval(x + r * 0.35, y + r * 0.88, r * 1.25, r * 0.26), (0.05, 0.02, 0.03), blur=r * 0.15, alpha=0.55)
    outline = smooth(
        [
            (x - r, y - r * 0.1),
            (x - r * 0.62, y - r * 0.85),
            (x, y - r * 0.80),
            (x + r * 0.62, y - r * 0.85),
            (x + r, y - r * 0.1),
            (x + r * 0.68, y + r * 0.78),
            (x, y + r * 0.93),
            (x - r * 0.68, y + r * 0.78),
        ]
    )
    canvas.shape(outline, tone)
    mask = canvas.mask(outline)
    canvas.shape(
        oval(x + r * 0.62, y + r * 0.5, r * 0.95, r * 0.95),
        mix(tone, (0.12, 0.02, 0.05), 0.65),
        blur=r * 0.34,
        alpha=0.85,
        inside=mask,
    )
    canvas.shape(
        oval(x - r * 0.36, y - r * 0.30, r * 0.50, r * 0.46),
        mix(tone, (1.0, 0.97, 0.8), 0.6),
        blur=r * 0.22,
        alpha=0.75,
        inside=mask,
    )
    canvas.shape(
        oval(x - r * 0.40, y - r * 0.40, r * 0.13, r * 0.09, -30), _WHITE, blur=r * 0.05, alpha=0.85, inside=mask
    )
    canvas.shape(
        oval(x, y - r * 0.78, r * 0.22, r * 0.08), mix(tone, p.near, 0.7), blur=r * 0.06, alpha=0.7, inside=mask
    )
    canvas.taper(
        [(x, y - r * 0.74), (x + r * 0.05, y - r * 1.0), (x + r * 0.16, y - r * 1.18)],
        (0.30, 0.19, 0.10),
        r * 0.09,
        r * 0.05,
    )
    canvas.shape(
        smooth(
            [
                (x + r * 0.08, y - r * 1.02),
                (x + r * 0.35, y - r * 1.30),
                (x + r * 0.72, y - r * 1.22),
                (x + r * 0.42, y - r * 0.98),
            ]
        ),
        (0.42, 0.58, 0.20),
        to=(0.20, 0.36, 0.12),
    )


def _draw_vase(canvas: Canvas, scene: Scene, x: float, y: float, tall: float) -> None:
    p, rng = scene.palette, scene.dice(52)
    tone = mix(p.top, (0.18, 0.36, 0.42), 0.4)
    for k in range(7):
        a = -math.pi / 2 + (k - 3) * 0.26
        tip = (x + math.cos(a) * tall * 0.62, y - tall * 0.80 + math.sin(a) * tall * 0.52)
        _draw_sprig(canvas, scene, rng, (x, y - tall * 0.78), tip, tall * 0.085)
    canvas.shape(oval(x + tall * 0.22, y, tall * 0.42, tall * 0.055), (0.04, 0.02, 0.03), blur=tall * 0.035, alpha=0.55)
    side: list[Point] = [(0.085, -0.84), (0.075, -0.72), (0.20, -0.52), (0.235, -0.30), (0.17, -0.08), (0.12, 0.0)]
    outline = (
        smooth([(x + a * tall, y + b * tall) for a, b in side], closed=False)
        + smooth([(x - a * tall, y + b * tall) for a, b in side], closed=False)[::-1]
    )
    canvas.shape(outline, tone, to=mix(tone, p.near, 0.2))
    mask = canvas.mask(outline)
    canvas.shape(
        [(x + tall * 0.05, y - tall), (x + tall * 0.4, y - tall), (x + tall * 0.4, y), (x + tall * 0.05, y)],
        (0.02, 0.02, 0.06),
        blur=tall * 0.07,
        alpha=0.55,
        inside=mask,
    )
    canvas.shape(
        oval(x - tall * 0.10, y - tall * 0.38, tall * 0.045, tall * 0.15, 8),
        _WHITE,
        blur=tall * 0.025,
        alpha=0.60,
        inside=mask,
    )
    canvas.shape(oval(x, y - tall * 0.84, tall * 0.085, tall * 0.020), mix(tone, p.near, 0.75))


def _draw_sprig(canvas: Canvas, scene: Scene, rng: np.random.Generator, foot: Point, tip: Point, size: float) -> None:
    p = scene.palette
    green = mix((0.30, 0.45, 0.22), p.leaf, 0.4)
    canvas.taper(
        [foot, ((foot[0] + tip[0]) / 2, (foot[1] + tip[1]) / 2 - size * 0.4), tip],
        mix(green, p.near, 0.3),
        size * 0.10,
        size * 0.06,
    )
    for k in range(6):
        t = 0.35 + 0.11 * k
        x, y = foot[0] + (tip[0] - foot[0]) * t, foot[1] + (tip[1] - foot[1]) * t
        turn = math.degrees(math.atan2(tip[1] - foot[1], tip[0] - foot[0])) + (58 if k % 2 else -58)
        dx, dy = math.cos(math.radians(turn)) * size * 0.5, math.sin(math.radians(turn)) * size * 0.5
        canvas.shape(
            oval(x + dx, y + dy, size * 0.55, size * 0.19, turn, 20), mix(green, p.sun, float(rng.uniform(0, 0.4)))
        )
    for k in range(8):
        a = math.tau * k / 8
        canvas.shape(oval(tip[0] + math.cos(a) * size * 0.45, tip[1] + math.sin(a) * size * 0.45, size * 0.42, size * 0.27, math.degrees(a), 20),
                     mix(p.accent, _WHITE, 0.15 + 0.35 * (0.5 - 0.5 * math.sin(a))))  # fmt: skip
    canvas.shape(oval(*tip, size * 0.22, size * 0.22), mix(p.second, (0.9, 0.6, 0.1), 0.4))


def _draw_cup(canvas: Canvas, scene: Scene, x: float, y: float, r: float) -> None:
    p = scene.palette
    china = mix((0.97, 0.95, 0.92), p.low, 0.3)
    canvas.shape(oval(x + r * 0.25, y + r * 0.12, r * 1.75, r * 0.36), (0.05, 0.02, 0.03), blur=r * 0.10, alpha=0.5)
    canvas.shape(oval(x, y, r * 1.55, r * 0.34), mix(china, p.near, 0.12), to=china)
    canvas.shape(oval(x, y - r * 0.02, r * 0.95, r * 0.18), mix(china, p.near, 0.35), blur=r * 0.03)
    handle = smooth(
        [
            (x + r * 0.80, y - r * 0.95),
            (x + r * 1.28, y - r * 0.98),
            (x + r * 1.25, y - r * 0.45),
            (x + r * 0.66, y - r * 0.33),
        ],
        closed=False,
    )
    canvas.line(handle, mix(china, p.near, 0.22), r * 0.15)
    side = smooth(
        [(x + r, y - r * 1.20), (x + r * 0.94, y - r * 0.70), (x + r * 0.62, y - r * 0.12), (x + r * 0.42, y)],
        closed=False,
    )
    body = side + [(2 * x - a, b) for a, b in side[::-1]]
    canvas.shape(body, china, to=mix(china, p.near, 0.15))
    mask = canvas.mask(body)
    canvas.shape(
        [(x + r * 0.35, y - r * 1.3), (x + r * 1.3, y - r * 1.3), (x + r * 1.3, y), (x + r * 0.3, y)],
        mix(china, p.near, 0.7),
        blur=r * 0.22,
        alpha=0.6,
        inside=mask,
    )
    canvas.shape(
        [(x - r, y - r * 0.85), (x + r, y - r * 0.85), (x + r, y - r * 0.72), (x - r, y - r * 0.72)],
        p.accent,
        alpha=0.85,
        inside=mask,
    )
    canvas.shape(oval(x, y - r * 1.20, r, r * 0.24), mix(china, _WHITE, 0.5))
    drink = (0.72, 0.42, 0.14) if scene.has("tea") else (0.26, 0.14, 0.08)
    canvas.shape(oval(x, y - r * 1.18, r * 0.90, r * 0.195), mix(drink, (0.8, 0.6, 0.4), 0.25), to=drink)
    if not scene.has("tea"):
        canvas.shape(
            oval(x - r * 0.1, y - r * 1.19, r * 0.45, r * 0.085), (0.86, 0.70, 0.50), blur=r * 0.03, alpha=0.75
        )
    for k in (-1, 0, 1):
        steam = smooth(
            [
                (x + k * r * 0.35, y - r * 1.35),
                (x + k * r * 0.35 + r * 0.16, y - r * 1.8),
                (x + k * r * 0.35 - r * 0.12, y - r * 2.2),
                (x + k * r * 0.35 + r * 0.1, y - r * 2.7),
            ],
            closed=False,
        )
        canvas.line(steam, _WHITE, r * 0.10, alpha=0.42, blur=r * 0.07)
