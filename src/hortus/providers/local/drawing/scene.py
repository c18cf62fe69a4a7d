"""A drawing from a prompt: its words choose the place, the hour, what stands there and how it is painted."""

import hashlib
import re
from random import Random

import cv2
import numpy as np
from PIL import Image

from hortus.providers.local.drawing import land, motifs
from hortus.providers.local.drawing.canvas import Canvas
from hortus.providers.local.drawing.finish import finish
from hortus.providers.local.drawing.palette import Palette, choose_palette
from hortus.providers.local.drawing.person import HAIRS, SKINS, Looks, draw_person

PEOPLE = r"\b(portrait|person|people|woman|man|girl|boy|face|lady|king|queen|wizard|astronaut|teacher|doctor|avatar)\b"
ANIMALS = {
    "cat": "cat|kitten",
    "dog": "dog|puppy",
    "fox": "fox|wolf",
    "horse": "horse|pony|unicorn",
    "deer": "deer|stag|elk",
    "rabbit": "rabbit|bunny",
}
WATER = "sea|ocean|lake|water|river|beach|boat|ship|sail|island|harbou?r|reflection"
TOWNS = "city|town|skyline|street|building|skyscraper|urban|tokyo|mumbai|delhi|paris|london|york"
MOUNTAINS = "mountain|peak|alps|himalaya|hill|valley|canyon|landscape"
OPEN_LAND = "desert|dune|sahara|sand|field|meadow"
SMALLEST_CANVAS = 384
"""Small pictures are drawn larger and scaled down, so that nothing is lost between pixels."""


def draw(prompt: str, width: int, height: int, *, number: int, style: str | None, color: str | None) -> Image.Image:
    """A picture of `width` x `height`; the same prompt and number give the same picture."""
    words = f" {prompt} {style or ''} ".lower()
    seed = int.from_bytes(hashlib.sha256(f"{prompt}|{number}".encode("utf-8", "replace")).digest()[:8], "big")
    rng = np.random.default_rng(seed)
    palette = choose_palette(words, color, Random(seed))  # noqa: S311 - variety, not secrecy
    scale = max(1.0, SMALLEST_CANVAS / min(width, height))
    size = (min(2048, round(width * scale)), min(2048, round(height * scale)))
    picture = _portray(rng, *size, palette) if re.search(PEOPLE, words) else _compose(rng, *size, palette, words)
    painted = finish(rng, picture, f"{style or ''} {prompt}".lower())
    image = Image.fromarray(np.clip(painted * 255 + 0.5, 0, 255).astype(np.uint8))
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.LANCZOS)


def _has(words: str, pattern: str) -> bool:
    return re.search(rf"\b({pattern})", words) is not None


def _compose(rng: np.random.Generator, width: int, height: int, palette: Palette, words: str) -> land.Picture:
    horizon = float(rng.uniform(0.52, 0.66))
    picture = land.sky(rng, width, height, palette, horizon)
    kind = next((name for name, pattern in ANIMALS.items() if _has(words, pattern)), None)
    wet, urban = _has(words, WATER), _has(words, TOWNS)
    if _has(words, MOUNTAINS) or not (wet or urban or kind or _has(words, OPEN_LAND)):
        land.mountains(rng, picture, palette, horizon, layers=3 if wet else 4)
    elif wet and not urban:
        land.mountains(rng, picture, palette, horizon - 0.05, layers=2)
    if urban:
        motifs.town(rng, picture, palette, horizon)
    if wet:
        land.water(rng, picture, palette, horizon)
    elif not urban:
        land.ground(rng, picture, palette, horizon + 0.10, hills=4 if _has(words, OPEN_LAND) else 2)
    _populate(rng, picture, palette, words, horizon, kind)
    return picture


def _populate(
    rng: np.random.Generator, picture: land.Picture, palette: Palette, words: str, horizon: float, kind: str | None
) -> None:
    if _has(words, "boat|ship|sail|sea|harbou?r"):
        motifs.boat(rng, picture, palette, horizon)
    if _has(words, "forest|tree|wood|jungle|pine|cabin"):
        motifs.forest(rng, picture, palette, horizon + 0.12)
    if _has(words, "flower|garden|meadow|rose|tulip|lily|lotus|blossom|spring|field"):
        motifs.flowers(rng, picture, palette, horizon + 0.10)
    if kind is not None:
        motifs.animal(rng, picture, palette, horizon + 0.16, kind)
    elif not palette.night:
        motifs.birds(rng, picture, palette)


def _portray(rng: np.random.Generator, width: int, height: int, palette: Palette) -> land.Picture:
    """A person before a soft background of the palette."""
    canvas = Canvas(width, height)
    soft = cv2.GaussianBlur(land.sky(rng, width, height, palette, 0.8), (0, 0), width / 40)
    canvas.rgb[:] = soft
    looks = Looks(
        skin=list(SKINS)[int(rng.integers(len(SKINS)))],
        hair=list(HAIRS.values())[int(rng.integers(len(HAIRS)))],
        clothes=palette.near,
    )
    side = min(width, height) * 0.97
    draw_person(canvas, (width - side) / 2, height - side, side, looks)
    return np.ascontiguousarray(canvas.rgb, dtype=np.float32)
