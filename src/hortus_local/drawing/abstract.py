"""Abstract images and outer space."""

import math

import cv2
import numpy as np

from hortus_local.drawing.canvas import Canvas, Floats, oval, smooth
from hortus_local.drawing.colour import Colour, mix
from hortus_local.drawing.noise import clouds
from hortus_local.drawing.palette import Palette
from hortus_local.drawing.scene import Scene


def paint_abstract(canvas: Canvas, scene: Scene) -> None:
    """Marble, ribbons or circles, as the dice fall or the prompt hints."""
    ways = (_paint_marble, _paint_ribbons, _paint_circles)
    if scene.has("geometric", "shapes", "circle", "circles", "bauhaus", "logo"):
        way = _paint_circles
    elif scene.has("marble", "fluid", "swirl", "swirls", "smoke", "texture"):
        way = _paint_marble
    else:
        way = ways[scene.seed % 3]
    way(canvas, scene)


def _ramp(palette: Palette, value: Floats) -> Floats:
    stops = np.array([0.0, 0.22, 0.42, 0.62, 0.80, 1.0])
    colours = np.array(
        [palette.near, palette.top, palette.mid, palette.accent, palette.second, palette.low], np.float32
    )
    index = np.clip(value * 511, 0, 511).astype(int)
    table = np.stack([np.interp(np.linspace(0, 1, 512), stops, colours[:, c]) for c in range(3)], axis=1)
    return table.astype(np.float32)[index]


def _paint_marble(canvas: Canvas, scene: Scene) -> None:
    rng, w, h = scene.dice(40), canvas.width, canvas.height
    xs, ys = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    field = clouds(rng, w, h, cells=2.2, octaves=4)
    pull = canvas.unit * 0.42
    for _ in range(2):
        a, b = clouds(rng, w // 4, h // 4, cells=1.8, octaves=3), clouds(rng, w // 4, h // 4, cells=1.8, octaves=3)
        dx, dy = (cv2.resize(n, (w, h), interpolation=cv2.INTER_CUBIC) - 0.5 for n in (a, b))
        field = cv2.remap(field, xs + dx * pull, ys + dy * pull, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    rank = np.sort(field[::8, ::8].ravel())
    even = np.interp(field, rank, np.linspace(0, 1, rank.size)).astype(np.float32)
    bands = (0.75 * even + 0.25 * (0.5 + 0.5 * np.sin(field * 42))).astype(np.float32)
    canvas.rgb[:] = _ramp(scene.palette, bands)
    relief = cv2.Sobel(field, cv2.CV_32F, 1, 0, ksize=3) + cv2.Sobel(field, cv2.CV_32F, 0, 1, ksize=3)
    canvas.rgb += np.clip(relief * 2.4, -0.16, 0.22)[:, :, None]
    veins = np.exp(-((np.sin(field * 21) / 0.045) ** 2)) * 0.55
    canvas.cover(veins.astype(np.float32), mix(scene.palette.second, (1.0, 0.95, 0.8), 0.55))
    np.clip(canvas.rgb, 0, 1, out=canvas.rgb)


def _paint_ribbons(canvas: Canvas, scene: Scene) -> None:
    p, rng, w, h = scene.palette, scene.dice(41), canvas.width, canvas.height
    down = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    canvas.rgb[:] = (
        np.array(mix(p.top, p.near, 0.3), np.float32) * (1 - down) + np.array(mix(p.mid, p.low, 0.2), np.float32) * down
    )
    canvas.glow(w * float(rng.uniform(0.2, 0.8)), h * 0.3, canvas.unit * 0.8, p.sun, 0.45)
    colours = (p.accent, p.second, p.mid, p.low, p.top, p.leaf)
    xs = np.linspace(-0.05, 1.05, 60)
    phase, tilt = float(rng.uniform(0, 6)), float(rng.uniform(-0.25, 0.25))
    for k in range(15):
        t = k / 14
        wave = 0.11 * np.sin(xs * 4.2 + phase + t * 3.1) + 0.06 * np.sin(xs * 9.1 + phase * 2 - t * 4)
        upper = h * (0.12 + 0.72 * t + wave + tilt * (xs - 0.5))
        thick = h * (0.07 + 0.05 * np.sin(xs * 5 + t * 7 + phase))
        edge = [(float(x * w), float(y)) for x, y in zip(xs, upper, strict=True)]
        back = [(float(x * w), float(y + d)) for x, y, d in zip(xs, upper, thick, strict=True)][::-1]
        tone = colours[k % len(colours)]
        canvas.shape(
            [(x, y + h * 0.018) for x, y in edge + back], (0.0, 0.0, 0.03), blur=canvas.unit * 0.014, alpha=0.34
        )
        canvas.shape(edge + back, mix(tone, (1.0, 1.0, 1.0), 0.22), to=mix(tone, p.near, 0.28), alpha=0.94)
        canvas.line(edge, mix(tone, (1.0, 1.0, 1.0), 0.7), canvas.unit * 0.002, alpha=0.8)


def _paint_circles(canvas: Canvas, scene: Scene) -> None:
    p, rng, w, h = scene.palette, scene.dice(42), canvas.width, canvas.height
    paper = mix(p.low, (1.0, 0.98, 0.95), 0.6)
    canvas.rgb[:] = paper
    colours = [p.accent, p.second, p.top, p.mid, p.near, p.leaf]
    for k in range(16):
        r = canvas.unit * float(rng.uniform(0.05, 0.26)) * (1.25 - k / 20)
        x, y = w * float(rng.uniform(0.12, 0.88)), h * float(rng.uniform(0.12, 0.88))
        tone: Colour = colours[int(rng.integers(len(colours)))]
        kind = k % 5
        if kind == 4:
            a = float(rng.uniform(0, math.pi))
            dx, dy = math.cos(a) * r * 1.6, math.sin(a) * r * 1.6
            canvas.line([(x - dx, y - dy), (x + dx, y + dy)], p.near, canvas.unit * 0.006)
            continue
        outline = oval(x, y, r, r, steps=72)
        if kind == 1:
            outline = outline[:37]
        if kind == 2:
            canvas.line([*outline, outline[0]], tone, canvas.unit * 0.012)
            canvas.line([*oval(x, y, r * 0.72, r * 0.72), (x + r * 0.72, y)], tone, canvas.unit * 0.006)
            continue
        canvas.shape([(a + r * 0.05, b + r * 0.07) for a, b in outline], p.near, blur=r * 0.09, alpha=0.22)
        canvas.shape(outline, mix(tone, (1.0, 1.0, 1.0), 0.18), to=mix(tone, p.near, 0.12), alpha=0.90)
    swing = smooth([(w * float(rng.uniform(0, 1)), h * t) for t in (-0.05, 0.3, 0.6, 1.05)], closed=False)
    canvas.line(swing, p.near, canvas.unit * 0.004)


def paint_space(canvas: Canvas, scene: Scene) -> None:
    """Stars, a nebula, and a planet with a lit limb."""
    p, rng, w, h = scene.palette, scene.dice(43), canvas.width, canvas.height
    canvas.rgb[:] = mix((0.012, 0.014, 0.045), p.near, 0.15)
    for tone in (p.accent, p.second, p.mid):
        a = cv2.resize(clouds(rng, w // 2, h // 2, cells=1.8, octaves=6), (w, h))
        mass = np.clip((a - 0.48) * 2.2, 0, 1) ** 1.6 * 0.62
        canvas.rgb += (1 - canvas.rgb) * mass[:, :, None] * np.array(mix(tone, (0.45, 0.2, 0.8), 0.30), np.float32)
    stars = np.zeros((h, w), np.float32)
    count = w * h // 700
    stars[rng.integers(0, h, count), rng.integers(0, w, count)] = rng.random(count) ** 6 + 0.06
    canvas.rgb += (1 - canvas.rgb) * np.clip(cv2.GaussianBlur(stars, (0, 0), 0.7) * 3.2, 0, 1)[:, :, None]
    for _ in range(16):
        canvas.glow(
            float(rng.random()) * w,
            float(rng.random()) * h,
            canvas.unit * float(rng.uniform(0.008, 0.02)),
            (0.9, 0.95, 1.0),
            1.0,
            2.6,
        )
    _paint_planet(
        canvas, scene, w * float(rng.uniform(0.36, 0.64)), h * float(rng.uniform(0.42, 0.58)), canvas.unit * 0.24
    )
    _paint_planet(
        canvas,
        scene,
        w * float(rng.uniform(0.08, 0.22)),
        h * float(rng.uniform(0.12, 0.3)),
        canvas.unit * 0.045,
        plain=True,
    )


def _paint_planet(canvas: Canvas, scene: Scene, x: float, y: float, r: float, *, plain: bool = False) -> None:
    p, rng = scene.palette, scene.dice(44)
    w, h = canvas.width, canvas.height
    ringed = not plain and (scene.has("saturn", "ring", "rings") or scene.seed % 2 == 0)
    canvas.glow(x, y, r * 1.5, mix(p.accent, (0.5, 0.7, 1.0), 0.5), 0.55, 2.4)
    ring = [
        (oval(x, y, r * k, r * k * 0.24, -16, 96), a) for k, a in ((2.05, 0.5), (1.9, 0.8), (1.72, 0.6), (1.55, 0.45))
    ]
    for path, alpha in ring if ringed else []:
        canvas.line(path[48:] + path[:1], mix(p.second, (1.0, 0.95, 0.85), 0.5), r * 0.055, alpha=alpha)
    dx = (np.arange(w, dtype=np.float32) - x)[None, :] / r
    dy = (np.arange(h, dtype=np.float32) - y)[:, None] / r
    square = dx * dx + dy * dy
    z = np.sqrt(np.clip(1 - square, 0, 1))
    light = np.clip(-0.62 * dx - 0.42 * dy + 0.66 * z, 0, 1)
    noise = cv2.resize(clouds(rng, w // 2, h // 2, cells=7, octaves=5, stretch=3.5), (w, h))
    bands = 0.5 + 0.5 * np.sin((dy * 9 + noise * 3.4) * (0.6 if plain else 1.0))
    face = (
        np.array(p.accent, np.float32)
        + (np.array(p.second, np.float32) - np.array(p.accent, np.float32)) * bands[:, :, None]
    )
    face = face * (0.7 + 0.45 * noise[:, :, None]) * (0.05 + 1.05 * light[:, :, None])
    rim = np.clip(square, 0, 1) ** 6 * light * 0.55
    face = face + rim[:, :, None] * np.array((0.7, 0.85, 1.0), np.float32)
    canvas.cover(np.clip((1 - np.sqrt(square)) * r + 0.5, 0, 1), np.clip(face, 0, 1))
    for path, alpha in ring if ringed else []:
        canvas.line(path[:49], mix(p.second, (1.0, 0.95, 0.85), 0.5), r * 0.055, alpha=alpha)
