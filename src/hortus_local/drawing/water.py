"""Water that reflects the scene above it, distorted by waves."""

import cv2
import numpy as np

from hortus_local.drawing.canvas import Canvas, Point, smooth
from hortus_local.drawing.colour import mix
from hortus_local.drawing.noise import clouds
from hortus_local.drawing.scene import Scene


def paint_water(canvas: Canvas, scene: Scene, horizon: float, sun_x: float) -> None:
    """Cover everything below the horizon with water that mirrors the scene above it."""
    p, rng = scene.palette, scene.dice(20)
    top = int(canvas.height * horizon)
    rows, width = canvas.height - top, canvas.width
    down = np.arange(rows, dtype=np.float32)[:, None] / rows
    noise = clouds(rng, width, rows, cells=9, octaves=4, stretch=5.0)
    fine = clouds(rng, width, rows, cells=30, octaves=2, stretch=6.0)
    # Waves are dense at the horizon and broad at our feet.
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(rows, dtype=np.float32))
    depth = rows * (1 - (1 - down) ** 1.6)
    wave = cv2.remap(
        noise, xs, np.repeat(depth, width, 1).astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    sway = (wave - 0.5) * canvas.unit * (0.02 + 0.10 * down)
    source_y = np.clip(top - 2 - (ys + sway * 1.2) * min(top / rows, 1.0) * 0.92, 0, top - 1).astype(np.float32)
    mirror = cv2.remap(
        canvas.rgb, (xs + sway).astype(np.float32), source_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    deep = np.array(mix(mix(p.top, p.mid, 0.35), p.near, 0.28), np.float32)
    share = (0.22 + 0.50 * down)[:, :, None]
    water = mirror * (1 - share) + deep * share
    crest = np.clip((wave - 0.56) * 5, 0, 1) * (0.10 + 0.22 * down)
    water += (np.array(mix(p.low, (1.0, 1.0, 1.0), 0.3), np.float32) - water) * crest[:, :, None]
    trough = np.clip((0.42 - wave) * 4, 0, 1) * (0.12 + 0.25 * down)
    water *= 1 - trough[:, :, None]
    path = np.exp(-(((xs - sun_x) / (canvas.unit * (0.04 + 0.16 * down))) ** 2))
    sparkle = np.clip((fine * 0.6 + wave * 0.6 - 0.62) * 6, 0, 1) * path * (0.95 - 0.45 * down)
    water += (np.array(mix(p.sun, (1.0, 1.0, 1.0), 0.4), np.float32) - water) * sparkle[:, :, None]
    canvas.rgb[top:] = water
    band = np.exp(-(((np.arange(canvas.height, dtype=np.float32) - top) / (canvas.height * 0.02)) ** 2)) * 0.45
    canvas.cover(np.repeat(band[:, None], width, 1), mix(p.low, p.sun, 0.3))


def draw_boat(canvas: Canvas, scene: Scene, x: float, y: float, size: float) -> None:
    """A sailing boat with its reflection; `y` is the waterline."""
    p = scene.palette
    hull: list[Point] = [(-0.34, -0.10), (0.40, -0.12), (0.28, 0.03), (-0.24, 0.03)]
    main: list[Point] = [(0.02, -0.98), (0.12, -0.60), (0.34, -0.17), (0.02, -0.15)]
    jib: list[Point] = [(-0.02, -0.90), (-0.10, -0.50), (-0.32, -0.16), (-0.02, -0.15)]
    sail = mix((0.98, 0.96, 0.92), p.low, 0.25)
    for flip, alpha in ((-0.55, 0.32), (1.0, 1.0)):

        def place(points: list[Point], flip: float = flip) -> list[Point]:
            return [(x + px * size, y + py * size * flip) for px, py in points]

        blur = 0.0 if flip > 0 else size * 0.02
        canvas.shape(place(main), sail, to=mix(sail, p.mid, 0.3), alpha=alpha, blur=blur)
        canvas.shape(place(jib), mix(p.accent, sail, 0.25), to=p.accent, alpha=alpha, blur=blur)
        canvas.shape(place(hull), mix(p.near, p.accent, 0.15), to=p.near, alpha=alpha, blur=blur)
        canvas.line(place([(0.0, -1.0), (0.0, -0.1)]), p.near, size * 0.02, alpha=alpha)


def draw_shore(canvas: Canvas, scene: Scene) -> None:
    """A beach in the near corner with a line of foam."""
    p, w, h = scene.palette, canvas.width, canvas.height
    edge = smooth(
        [
            (-w * 0.05, h * 0.80),
            (w * 0.18, h * 0.845),
            (w * 0.42, h * 0.90),
            (w * 0.66, h * 0.965),
            (w * 0.85, h * 1.06),
        ],
        closed=False,
    )
    sand = mix(mix((0.93, 0.80, 0.60), p.low, 0.3), p.near, 0.12)
    ground = [*edge, (-w * 0.05, h * 1.1)]
    canvas.shape([(x + w * 0.02, y - h * 0.012) for x, y in ground], mix(sand, p.near, 0.35), blur=w * 0.008, alpha=0.8)
    canvas.shape(ground, mix(sand, p.near, 0.12), to=sand, blur=w * 0.002)
    for shift, alpha in ((0.0, 0.9), (-0.022, 0.5)):
        canvas.line(
            [(x + w * 0.01, y + h * shift) for x, y in edge], (1.0, 1.0, 0.98), w * 0.008, alpha=alpha, blur=w * 0.002
        )
