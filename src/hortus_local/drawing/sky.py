"""The sky: light, clouds, stars, rain and snow."""

import cv2
import numpy as np

from hortus_local.drawing.canvas import Canvas
from hortus_local.drawing.colour import mix
from hortus_local.drawing.noise import clouds
from hortus_local.drawing.palette import brightness
from hortus_local.drawing.scene import Scene


def is_night(scene: Scene) -> bool:
    """Whether the sky is dark."""
    return brightness(scene.palette.mid) < 0.28


def paint_sky(canvas: Canvas, scene: Scene, horizon: float) -> tuple[float, float]:
    """Fill the canvas with sky down to `horizon` (a share of the height) and return the position of the sun or moon."""
    p, rng = scene.palette, scene.dice(1)
    y = np.linspace(0, 1, canvas.height, dtype=np.float32) / horizon
    stops = [0.0, 0.55, 0.95, 1.05]
    colours = np.array([p.top, p.mid, p.low, mix(p.low, p.sun, 0.3)], np.float32)
    canvas.rgb[:] = np.stack([np.interp(y, stops, colours[:, c]) for c in range(3)], axis=1)[:, None, :]
    sun_x = canvas.width * float(rng.choice([rng.uniform(0.2, 0.4), rng.uniform(0.6, 0.8)]))
    dark = is_night(scene)
    sun_y = canvas.height * horizon * float(rng.uniform(0.25, 0.45) if dark else rng.uniform(0.55, 0.8))
    if dark:
        _paint_stars(canvas, rng, horizon)
    canvas.glow(sun_x, sun_y, canvas.unit * 0.95, p.sun, 0.42, 2.2)
    canvas.glow(sun_x, sun_y, canvas.unit * 0.32, p.sun, 0.60, 2.0)
    _paint_clouds(canvas, scene, horizon, (sun_x, sun_y))
    if not scene.has("storm", "rain", "rainy", "fog", "foggy"):
        _paint_disc(canvas, scene, sun_x, sun_y, dark=dark)
    return sun_x, sun_y


def _paint_disc(canvas: Canvas, scene: Scene, x: float, y: float, *, dark: bool) -> None:
    radius = canvas.unit * (0.055 if dark else 0.048)
    dx = (np.arange(canvas.width, dtype=np.float32) - x)[None, :]
    dy = (np.arange(canvas.height, dtype=np.float32) - y)[:, None]
    disc = np.clip(radius - np.sqrt(dx * dx + dy * dy) + 0.5, 0, 1)
    if dark and not scene.has("full"):
        bite = np.clip(radius * 0.92 - np.sqrt((dx - radius * 0.42) ** 2 + (dy + radius * 0.18) ** 2) + 0.5, 0, 1)
        disc = disc * (1 - bite)
    canvas.cover(disc, mix(scene.palette.sun, (1.0, 1.0, 1.0), 0.55))


def _paint_stars(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    count = int(canvas.width * canvas.height * horizon / 2600)
    layer = np.zeros((canvas.height, canvas.width), np.float32)
    xs = rng.integers(0, canvas.width, count)
    ys = (rng.random(count) ** 1.3 * canvas.height * horizon).astype(int)
    layer[ys, xs] = rng.random(count) ** 5 * 0.9 + 0.10
    layer = cv2.GaussianBlur(layer, (0, 0), 0.7) * 3.0
    canvas.rgb += (1 - canvas.rgb) * np.clip(layer, 0, 1)[:, :, None] * np.array((0.95, 0.97, 1.0), np.float32)
    for i in rng.choice(count, min(count, 14), replace=False):
        canvas.glow(float(xs[i]), float(ys[i]), canvas.unit * 0.012, (0.9, 0.95, 1.0), 0.9, 2.5)


def _paint_clouds(canvas: Canvas, scene: Scene, horizon: float, sun: tuple[float, float]) -> None:
    p, rng = scene.palette, scene.dice(2)
    height = max(int(canvas.height * horizon), 8)
    quarter = (max(canvas.width // 2, 8), max(height // 2, 8))
    noise = clouds(rng, *quarter, cells=2.6, octaves=5, stretch=3.0)
    noise = cv2.resize(noise, (canvas.width, height), interpolation=cv2.INTER_CUBIC)
    stormy = scene.has("storm", "stormy", "rain", "rainy", "cloudy", "moody", "dramatic")
    edge = 0.40 if stormy else float(rng.uniform(0.52, 0.62))
    body = np.clip((noise - edge) / 0.22, 0, 1)
    fade = np.clip(np.linspace(0.4, 1.5, height, dtype=np.float32), 0, 1) * np.linspace(
        1.0, 0.35, height, dtype=np.float32
    )
    # Moved up and to the right; what comes in at an edge goes on as the edge is, and no seam is seen.
    rows = np.minimum(np.arange(height) + max(height // 40, 2), height - 1)
    columns = np.maximum(np.arange(canvas.width) - max(canvas.width // 60, 2), 0)
    shifted = noise[np.ix_(rows, columns)]
    lit = np.clip((noise - shifted) * 5 + 0.5, 0, 1)[:, :, None]
    near = np.exp(-(((np.arange(canvas.width) - sun[0]) / (canvas.unit * 0.7)) ** 2)).astype(np.float32)[None, :, None]
    shade = np.array(mix(p.mid, p.top, 0.45), np.float32)
    light = np.array(mix(mix(p.low, (1.0, 1.0, 1.0), 0.35), p.sun, 0.4), np.float32)
    tone = shade + (light - shade) * np.clip(lit * 0.75 + near * 0.30, 0, 1)
    part = canvas.rgb[:height]
    strength = 0.40 if is_night(scene) else 0.82
    part += (tone - part) * (body * fade[:, None] * strength)[:, :, None]


def paint_weather(canvas: Canvas, scene: Scene) -> None:
    """Rain, snow or petals over everything, when the prompt names them."""
    rng = scene.dice(3)
    if "rain" in scene.extras:
        noise = (rng.random((canvas.height, canvas.width)) > 0.9925).astype(np.float32)
        kernel = np.zeros((31, 31), np.float32)
        cv2.line(kernel, (18, 0), (12, 30), 1.0, 1)
        streaks = cv2.filter2D(noise, -1, kernel / 5)
        canvas.cover(np.clip(streaks, 0, 0.30), (0.86, 0.90, 0.95))
    if "snow" in scene.extras:
        for size, count in ((0.0022, 260), (0.004, 110), (0.008, 26)):
            for _ in range(count):
                x, y = float(rng.random()) * canvas.width, float(rng.random()) * canvas.height
                canvas.glow(x, y, canvas.unit * size * 1.8, (1.0, 1.0, 1.0), 0.9, 0.9)
