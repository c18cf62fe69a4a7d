"""The land: ridges, hills, dunes, trees and grass."""

import math

import cv2
import numpy as np

from hortus_local.drawing.canvas import Canvas, Floats, oval, smooth
from hortus_local.drawing.colour import Colour, mix
from hortus_local.drawing.noise import clouds, ridge
from hortus_local.drawing.scene import Scene
from hortus_local.drawing.sky import is_night


def paint_layer(canvas: Canvas, line: Floats, colour: Colour, base: Colour, *, texture: Floats | None = None,
                depth: float = 0.25, light: Floats | None = None) -> None:  # fmt: skip
    """Fill everything under `line` (rows, one per column), fading from `colour` at the line to `base` below."""
    top = max(int(line.min()) - 2, 0)
    if top >= canvas.height:
        return
    rows = np.arange(top, canvas.height, dtype=np.float32)[:, None]
    below = rows - line[None, :]
    mask = np.clip(below + 0.5, 0, 1)[:, :, None]
    share = np.clip(below / (canvas.height * depth), 0, 1)[:, :, None]
    tone = np.array(colour, np.float32) * (1 - share) + np.array(base, np.float32) * share
    if texture is not None:
        tone = tone * (0.78 + 0.44 * texture[top:, :, None])
    if light is not None:
        tone = tone + light[top:]
    part = canvas.rgb[top:]
    part += (tone - part) * mask


def paint_mountains(canvas: Canvas, scene: Scene, horizon: float, layers: int = 4, snow: bool = False) -> None:
    """Ridges one behind the other, paler the farther."""
    p, rng = scene.palette, scene.dice(10)
    w, h = canvas.width, canvas.height
    aspect = max(w / h, 0.6)
    haze = mix(p.low, p.far, 0.35)
    for i in range(layers):
        depth = i / max(layers - 1, 1)
        rough = ridge(rng, w, (1.6 + 1.1 * i) * aspect, 8, 0.50)
        peak = np.abs(rough - 0.5) * 2 if i == 0 and layers > 3 else rough
        tall = h * (0.34 - 0.20 * depth)
        line = (h * (horizon + 0.02 + 0.11 * i) - peak * tall).astype(np.float32)
        tone = mix(mix(p.far, haze, 0.5 * (1 - depth)), p.near, depth**1.4 * 0.88)
        faces = _shade_faces(rng, w, h, line, cells=7 + 3 * i)
        paint_layer(canvas, line, tone, mix(tone, haze, 0.55 * (1 - depth)), depth=0.22, texture=faces)
        if snow and i < 2:
            _cap_with_snow(canvas, line, faces, float(np.quantile(line, 0.55)), mix((0.97, 0.97, 1.0), p.low, 0.25))
        _paint_mist(canvas, rng, h * (horizon + 0.04 + 0.11 * i), haze, 0.34 * (1 - depth))


def _shade_faces(rng: np.random.Generator, w: int, h: int, line: Floats, cells: float) -> Floats:
    """Light and shade on slopes: a rough surface lit from one side, its folds running down from the ridge."""
    sw, sh = max(w // 2, 8), max(h // 2, 8)
    rough = np.abs(clouds(rng, sw, sh, cells=cells, octaves=5) - 0.5)
    xs, ys = np.meshgrid(np.arange(sw, dtype=np.float32), np.arange(sh, dtype=np.float32))
    crest = cv2.resize(line[None, :], (sw, 1), interpolation=cv2.INTER_LINEAR)[0] * (sh / h)
    below = ys - cv2.GaussianBlur(crest[None, :], (0, 0), sw / 40)
    folded = cv2.remap(rough, xs + below * 0.35, ys * 0.62, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    lit = cv2.Sobel(cv2.GaussianBlur(folded, (0, 0), 1.2), cv2.CV_32F, 1, 0, ksize=3)
    lit = np.clip(0.5 + lit * 2.6 / (float(lit.std()) * 9 + 1e-6), 0, 1)
    return cv2.resize(lit, (w, h), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def _cap_with_snow(canvas: Canvas, line: Floats, faces: Floats, border: float, white: Colour) -> None:
    rows = np.arange(canvas.height, dtype=np.float32)[:, None]
    below = rows - line[None, :]
    reach = (border - line[None, :]) * (0.45 + 0.55 * faces)
    mask = np.clip((reach - below) / 3, 0, 1) * np.clip(below + 0.5, 0, 1)
    shade = np.array(white, np.float32) * (0.66 + 0.42 * faces[:, :, None])
    canvas.cover(mask.astype(np.float32) * 0.92, np.clip(shade, 0, 1))


def _paint_mist(canvas: Canvas, rng: np.random.Generator, y: float, colour: Colour, alpha: float) -> None:
    if alpha <= 0.02:
        return
    rows = np.arange(canvas.height, dtype=np.float32)
    band = np.exp(-(((rows - y) / (canvas.height * 0.07)) ** 2)) * alpha
    sway = cv2.resize(rng.random((1, 6)).astype(np.float32), (canvas.width, 1), interpolation=cv2.INTER_CUBIC)[0]
    canvas.cover((band[:, None] * (0.55 + 0.45 * sway[None, :])).astype(np.float32), colour)


def paint_field(canvas: Canvas, scene: Scene, horizon: float) -> None:
    """Rolling hills with grass, rows of flowers in the near ones."""
    p, rng = scene.palette, scene.dice(11)
    w, h = canvas.width, canvas.height
    for i in range(4):
        depth = i / 3
        line = (h * (horizon + 0.015 + 0.13 * i**1.15) - ridge(rng, w, 1.2 + 0.5 * i, 3, 0.35) * h * 0.09).astype(
            np.float32
        )
        tone = mix(mix(p.far, p.leaf, 0.35 + 0.5 * depth), p.sun, 0.16)
        texture = clouds(rng, w // 2, h // 2, cells=5 + 5 * i, octaves=4, stretch=3.5 - 2 * depth)
        texture = cv2.resize(texture, (w, h))
        paint_layer(canvas, line, tone, mix(tone, p.near, 0.45 + 0.35 * depth), texture=texture, depth=0.32)
        if i in {1, 2}:
            _paint_far_trees(canvas, rng, line, mix(tone, p.near, 0.42), canvas.unit * (0.012 + 0.014 * i))
    flowery = scene.has(
        "flower", "flowers", "lavender", "poppy", "poppies", "tulip", "tulips", "spring", "meadow", "garden"
    )
    _paint_grass(canvas, scene, rng, flowery=flowery)


def _paint_far_trees(canvas: Canvas, rng: np.random.Generator, line: Floats, colour: Colour, size: float) -> None:
    for _ in range(6):
        start = float(rng.uniform(0, canvas.width))
        for k in range(int(rng.integers(2, 7))):
            x = start + k * size * float(rng.uniform(0.8, 1.6))
            if 0 <= x < canvas.width:
                y = float(line[int(x)])
                r = size * float(rng.uniform(0.5, 1.3))
                canvas.shape(oval(x, y - r * 0.7, r * 0.85, r, steps=20), colour, to=mix(colour, (0.0, 0.0, 0.0), 0.35))


def _paint_grass(canvas: Canvas, scene: Scene, rng: np.random.Generator, *, flowery: bool) -> None:
    p = scene.palette
    for _ in range(320):
        depth = float(rng.random()) ** 0.6
        x, y = float(rng.random()) * canvas.width, canvas.height * (0.87 + 0.15 * depth)
        tall = canvas.unit * (0.02 + 0.075 * depth) * float(rng.uniform(0.6, 1.2))
        lean = float(rng.normal(0, 0.3)) * tall
        tone = mix(mix(p.leaf, p.sun, float(rng.uniform(0, 0.35))), p.near, float(rng.uniform(0.1, 0.75)))
        blade = [(x, y), (x + lean * 0.3, y - tall * 0.6), (x + lean, y - tall)]
        canvas.taper(blade, tone, canvas.unit * 0.005 * (0.4 + depth), 0.4)
        if flowery and rng.random() < 0.34:
            petal = mix(p.accent if rng.random() < 0.6 else p.second, (1.0, 1.0, 1.0), float(rng.uniform(0, 0.3)))
            r = canvas.unit * 0.010 * (0.35 + depth)
            for k in range(5):
                a = math.tau * k / 5 + x
                at = (x + lean + math.cos(a) * r * 0.8, y - tall + math.sin(a) * r * 0.6)
                canvas.shape(oval(*at, r * 0.75, r * 0.55, math.degrees(a), 12), petal)
            canvas.shape(oval(x + lean, y - tall, r * 0.45, r * 0.4, steps=12), p.second)


def paint_desert(canvas: Canvas, scene: Scene, horizon: float) -> None:
    """Dunes with a sharp crest between their light and dark sides."""
    p, rng = scene.palette, scene.dice(12)
    w, h = canvas.width, canvas.height
    sand = mix(p.far, p.second, 0.30)
    for i in range(4):
        depth = i / 3
        line = (h * (horizon + 0.02 + 0.14 * i) - ridge(rng, w, 1.3 + 0.4 * i, 2, 0.3) * h * 0.15).astype(np.float32)
        ripple = np.sin(np.arange(h, dtype=np.float32)[:, None] * (0.9 - 0.15 * i) + line[None, :] * 0.25) * 0.5 + 0.5
        tone = mix(mix(sand, p.low, 0.45 * (1 - depth)), p.sun, 0.12)
        dark = mix(tone, p.near, 0.55)
        paint_layer(canvas, line, tone, mix(tone, p.near, 0.25), texture=(0.42 + 0.16 * ripple).astype(np.float32))
        slope = np.gradient(cv2.GaussianBlur(line[None, :], (0, 0), w / 60)[0])
        shadow = np.clip(slope * 3.2, 0, 1)[None, :]
        below = (np.arange(h, dtype=np.float32)[:, None] - line[None, :]) / (h * 0.20)
        canvas.cover((shadow * np.clip(below * 40, 0, 1) * np.clip(1 - below, 0, 1) * 0.85).astype(np.float32), dark)


def paint_forest(canvas: Canvas, scene: Scene, horizon: float) -> None:
    """Firs in fog, row before row."""
    p, rng = scene.palette, scene.dice(13)
    w, h = canvas.width, canvas.height
    haze = mix(p.low, p.far, 0.25)
    for i in range(5):
        depth = i / 4
        ground = h * (horizon + 0.02 + 0.10 * i)
        line = (ground - ridge(rng, w, 2.0, 3, 0.4) * h * 0.07).astype(np.float32)
        tone = mix(mix(haze, p.leaf, 0.30 + 0.3 * depth), p.near, 0.10 + 0.82 * depth)
        tall = h * (0.12 + 0.26 * depth**1.3)
        x = -tall * 0.2
        while x < w + tall * 0.2:
            foot = float(line[min(max(int(x), 0), w - 1)]) + tall * 0.04
            draw_fir(canvas, rng, x, foot, tall * float(rng.uniform(0.65, 1.15)), tone)
            x += tall * float(rng.uniform(0.13, 0.40) if i < 4 else rng.uniform(0.3, 0.9))
        paint_layer(canvas, line, tone, mix(tone, haze, 0.5 * (1 - depth)), depth=0.18)
        _paint_mist(canvas, rng, ground + h * 0.03, haze, 0.42 * (1 - depth))
    if not is_night(scene):
        _paint_rays(canvas, scene)


def _paint_rays(canvas: Canvas, scene: Scene) -> None:
    rng = scene.dice(14)
    for _ in range(6):
        x = canvas.width * float(rng.uniform(0.1, 0.9))
        wide = canvas.unit * float(rng.uniform(0.02, 0.06))
        lean = canvas.width * 0.12
        beam = [(x, 0), (x + wide, 0), (x + lean + wide * 2.5, canvas.height * 0.85), (x + lean, canvas.height * 0.85)]
        canvas.shape(beam, scene.palette.sun, blur=wide * 0.4, alpha=0.09)


def draw_fir(canvas: Canvas, rng: np.random.Generator, x: float, foot: float, tall: float, colour: Colour) -> None:
    """A fir of jagged boughs; `foot` is where it stands."""
    left, right = [], []
    tiers = 9
    for k in range(tiers):
        t = k / tiers
        reach = tall * (0.022 + 0.165 * t) * float(rng.uniform(0.82, 1.15))
        y = foot - tall * (1 - t)
        left += [(x - reach * 0.40, y + tall * 0.035), (x - reach, y + tall * 0.135)]
        right += [(x + reach * 0.40, y + tall * 0.035), (x + reach * float(rng.uniform(0.85, 1.1)), y + tall * 0.135)]
    trunk = tall * 0.016
    outline = [
        (x, foot - tall),
        *right,
        (x + trunk, foot - tall * 0.02),
        (x + trunk, foot),
        (x - trunk, foot),
        *left[::-1],
    ]
    canvas.shape(outline, mix(colour, (1.0, 1.0, 1.0), 0.05), to=mix(colour, (0.0, 0.0, 0.0), 0.25))


def draw_tree(canvas: Canvas, rng: np.random.Generator, x: float, foot: float, tall: float, leaf: Colour, bark: Colour,
              sun: Colour) -> None:  # fmt: skip
    """A broad tree: trunk, a few boughs, and leaves in lit clumps."""
    for side in (-1, -0.4, 0.35, 1):
        bough = smooth([(x, foot - tall * 0.22), (x + side * tall * 0.10, foot - tall * 0.42),
                        (x + side * tall * 0.24, foot - tall * 0.62)], closed=False)  # fmt: skip
        canvas.taper(bough, bark, tall * 0.045, tall * 0.008)
    canvas.taper(
        [(x, foot), (x - tall * 0.01, foot - tall * 0.25), (x, foot - tall * 0.5)], bark, tall * 0.085, tall * 0.04
    )
    clumps = []
    for _ in range(46):
        a, r = float(rng.uniform(0, math.tau)), float(rng.random()) ** 0.5
        clumps.append((x + math.cos(a) * r * tall * 0.36, foot - tall * 0.66 + math.sin(a) * r * tall * 0.27))
    for cx, cy in sorted(clumps, key=lambda c: -c[1]):
        up = (foot - tall * 0.40 - cy) / (tall * 0.55)
        tone = mix(mix(leaf, bark, 0.40), mix(leaf, sun, 0.40), min(max(up + float(rng.normal(0, 0.12)), 0), 1))
        r = tall * float(rng.uniform(0.055, 0.105))
        outline = [
            (px + float(rng.normal(0, r * 0.09)), py + float(rng.normal(0, r * 0.09)))
            for px, py in oval(cx, cy, r, r * 0.85, steps=18)
        ]
        canvas.shape(smooth(outline, steps=3), tone, to=mix(tone, bark, 0.32), alpha=0.93)
