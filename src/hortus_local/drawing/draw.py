"""Drawing of an image for a prompt."""

import cv2
import numpy as np

from hortus_local.drawing import city, flower, land, landmark, still_life, water
from hortus_local.drawing.abstract import paint_abstract, paint_space
from hortus_local.drawing.animal import draw_animal
from hortus_local.drawing.canvas import Canvas
from hortus_local.drawing.colour import mix
from hortus_local.drawing.person import HAIRS, SKINS, Looks, draw_person
from hortus_local.drawing.render_style import apply_style
from hortus_local.drawing.scene import Scene, read_scene
from hortus_local.drawing.sky import is_night, paint_sky, paint_weather
from hortus_local.images import Pixels

_DRAWN_AT = 1024
"""The longer side in pixels; larger images are drawn at this size and enlarged."""


def draw(
    prompt: str, width: int, height: int, *, style: str | None = None, color: str | None = None, take: int = 0
) -> Pixels:
    """RGB pixels of exactly that size. The same arguments give the same image; another `take`, another image."""
    scale = min(_DRAWN_AT / max(width, height), 1.0)
    scene = read_scene(prompt, color, take)
    canvas = Canvas(max(round(width * scale), 64), max(round(height * scale), 64))
    paint(canvas, scene)
    image = apply_style(np.clip(canvas.rgb, 0, 1), style, prompt, scene.seed)
    pixels: Pixels = (image * 255 + 0.5).astype(np.uint8)
    if pixels.shape[:2] != (height, width):
        way = cv2.INTER_AREA if width < pixels.shape[1] else cv2.INTER_CUBIC
        pixels = cv2.resize(pixels, (width, height), interpolation=way)
    return pixels


def paint(canvas: Canvas, scene: Scene) -> None:
    """Put the scene on the canvas."""
    if scene.subject == "portrait":
        _paint_portrait(canvas, scene)
    elif scene.subject == "flower":
        flower.paint_flowers(canvas, scene)
    elif scene.subject == "still":
        still_life.paint_still_life(canvas, scene)
    elif scene.subject == "abstract":
        paint_abstract(canvas, scene)
    elif scene.setting == "space" and scene.subject != "animal":
        paint_space(canvas, scene)
    else:
        _paint_outdoors(canvas, scene)


def _paint_outdoors(canvas: Canvas, scene: Scene) -> None:
    rng, w, h, u = scene.dice(60), canvas.width, canvas.height, canvas.unit
    horizon = {"sea": 0.54, "city": 0.70, "forest": 0.46, "desert": 0.52, "mountain": 0.50}.get(scene.setting, 0.56)
    sun_x, sun_y = paint_sky(canvas, scene, horizon)
    if scene.setting == "sea":
        _paint_coast(canvas, scene, horizon, sun_x)
    elif scene.setting == "city":
        city.paint_city(canvas, scene, 0.76)
        water.paint_water(canvas, scene, 0.76, sun_x)
    elif scene.setting == "forest":
        land.paint_forest(canvas, scene, horizon)
    elif scene.setting == "desert":
        land.paint_desert(canvas, scene, horizon)
    elif scene.setting == "mountain":
        snow = scene.has("snow", "snowy", "winter", "alps", "himalaya", "himalayas", "fuji", "glacier", "peak", "peaks")
        land.paint_mountains(
            canvas, scene, horizon, snow=snow or (scene.seed % 3 == 0 and not scene.has("hill", "hills"))
        )
        if scene.has("lake", "river", "reflection", "water", "fjord"):
            water.paint_water(canvas, scene, 0.76, sun_x)
    else:
        land.paint_field(canvas, scene, horizon)
    _add_extras(canvas, scene, rng, horizon)
    if scene.subject == "animal":
        ground = h * (0.72 if scene.animal == "fish" else 0.93)
        if scene.setting != "sea":
            hill = land.ridge(rng, w, 1.5, 2) * h * 0.03
            line = (h * 0.955 - np.sin(np.linspace(0, np.pi, w)) * h * 0.05 - hill).astype(np.float32)
            land.paint_layer(
                canvas,
                line,
                mix(scene.palette.near, scene.palette.leaf, 0.35),
                mix(scene.palette.near, (0.0, 0.0, 0.0), 0.4),
            )
        draw_animal(canvas, scene, w * float(rng.uniform(0.44, 0.56)), ground, u * 0.52, sun_x)
    paint_weather(canvas, scene)
    canvas.glow(sun_x, sun_y, u * 0.55, scene.palette.sun, 0.16, 1.6)


def _paint_coast(canvas: Canvas, scene: Scene, horizon: float, sun_x: float) -> None:
    rng, w, h = scene.dice(61), canvas.width, canvas.height
    for k in range(2):
        rise = np.clip(land.ridge(rng, w, 2.0 + k, 6) - 0.42, 0, 1) * h * (0.17 - 0.06 * k)
        line = (h * horizon + 2 - rise).astype(np.float32)
        tone = mix(mix(scene.palette.far, scene.palette.low, 0.35), scene.palette.near, 0.30 * k)
        land.paint_layer(canvas, line, tone, mix(tone, scene.palette.low, 0.3))
    if "lighthouse" in scene.extras:
        x = w * (0.24 if sun_x > w / 2 else 0.76)
        landmark.draw_lighthouse(canvas, scene, x, h * (horizon + 0.005), canvas.unit * 0.34)
    water.paint_water(canvas, scene, horizon, sun_x)
    if scene.has("beach", "shore", "sand", "coast", "tropical"):
        water.draw_shore(canvas, scene)


def _add_extras(canvas: Canvas, scene: Scene, rng: np.random.Generator, horizon: float) -> None:
    w, h, u, p = canvas.width, canvas.height, canvas.unit, scene.palette
    extras = scene.extras
    if "boat" in extras or (scene.setting == "sea" and not extras and scene.subject != "animal"):
        water.draw_boat(canvas, scene, w * float(rng.uniform(0.55, 0.72)), h * (horizon + 0.14), u * 0.22)
        water.draw_boat(canvas, scene, w * float(rng.uniform(0.15, 0.3)), h * (horizon + 0.045), u * 0.08)
    if "castle" in extras:
        landmark.draw_castle(canvas, scene, w * 0.56, h * (horizon + 0.10), u * 0.36)
    if "house" in extras and scene.setting not in {"city", "sea"}:
        landmark.draw_house(canvas, scene, w * float(rng.uniform(0.55, 0.68)), h * (horizon + 0.24), u * 0.20)
    if "tree" in extras and scene.setting in {"field", "mountain", "desert"}:
        bark = mix((0.24, 0.16, 0.12), p.near, 0.45)
        leaf = p.accent if scene.has("autumn", "cherry", "sakura", "blossom") else mix(p.leaf, p.near, 0.15)
        land.draw_tree(canvas, rng, w * 0.32, h * 0.86, u * 0.56, leaf, bark, p.sun)
    if "balloon" in extras:
        for fx, fy, size in ((0.62, 0.24, 0.20), (0.26, 0.36, 0.11), (0.82, 0.42, 0.07)):
            landmark.draw_balloon(canvas, scene, w * fx, h * fy, u * size)
    if "birds" in extras or (
        not is_night(scene) and scene.subject != "animal" and scene.setting in {"sea", "mountain", "field"}
    ):
        _draw_flock(canvas, scene, rng, horizon)


def _draw_flock(canvas: Canvas, scene: Scene, rng: np.random.Generator, horizon: float) -> None:
    x0, y0 = canvas.width * float(rng.uniform(0.2, 0.7)), canvas.height * horizon * float(rng.uniform(0.25, 0.5))
    for _ in range(6):
        x, y = x0 + float(rng.normal(0, 0.07)) * canvas.width, y0 + float(rng.normal(0, 0.03)) * canvas.height
        s = canvas.unit * float(rng.uniform(0.008, 0.017))
        wing = [
            (x - s, y - s * 0.35),
            (x - s * 0.45, y - s * 0.5),
            (x, y),
            (x + s * 0.45, y - s * 0.5),
            (x + s, y - s * 0.3),
        ]
        canvas.line(wing, mix(scene.palette.near, scene.palette.top, 0.35), max(s * 0.16, 1.2), alpha=0.8)


def _paint_portrait(canvas: Canvas, scene: Scene) -> None:
    rng = scene.dice(70)
    p = scene.palette
    flower.paint_bokeh(canvas, scene, rng)
    male = scene.has("man", "boy", "gentleman", "king", "prince", "father", "he", "actor", "wizard", "warrior")
    female = scene.has("woman", "girl", "lady", "queen", "princess", "mother", "she", "actress")
    if not (male or female):
        male = bool(rng.integers(2))
    named = [
        colour for name, colour in HAIRS.items() if scene.has(name, {"blonde": "blond", "grey": "gray"}.get(name, name))
    ]
    if scene.has("old", "elderly", "grandmother", "grandfather"):
        named.append(HAIRS["grey"])
    natural = [HAIRS[name] for name in ("black", "brown", "auburn", "blonde")]
    style = "short" if male else str(rng.choice(["long", "long", "bun"]))
    dark_skin = scene.has("indian", "african", "black", "brown")
    skin = SKINS[int(rng.integers(1, 4) if dark_skin else rng.integers(0, 4))]
    hair = named[-1] if named else natural[int(rng.integers(len(natural)))] if skin in SKINS[:2] else HAIRS["black"]
    looks = Looks(
        skin=skin, hair=hair, clothes=mix(p.accent, p.top, float(rng.uniform(0, 0.8))), style=style,
        iris=((0.25, 0.17, 0.10), (0.24, 0.42, 0.30), (0.25, 0.42, 0.60))[int(rng.integers(3)) if skin in SKINS[:1] else 0],
        beard=male and (scene.has("beard", "bearded", "wizard") or rng.random() < 0.35),
    )  # fmt: skip
    size = min(canvas.width * 1.05, canvas.height * 0.97)
    draw_person(canvas, (canvas.width - size) / 2, canvas.height - size, size, looks)
