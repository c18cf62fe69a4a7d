"""Images drawn and edited with Pillow alone, where NumPy and OpenCV are not installed."""

import random
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from hortus_local.drawing.colour import Colour, mix
from hortus_local.drawing.palette import Palette, choose_palette
from hortus_local.drawing.scene import Scene, read_scene
from hortus_local.image_file import open_image

_DRAWN_AT = 1024
"""The longer side in pixels; larger images are drawn at this size and enlarged."""
_EDITED_AT = 1536
_LARGEST = 4096


def draw(prompt: str, width: int, height: int, *, color: str | None = None, take: int = 0) -> Image.Image:
    """A landscape, or circles for a prompt without one, in the prompt's colours.

    The same arguments give the same image; another `take`, another image.
    """
    scale = min(_DRAWN_AT / max(width, height), 1.0)
    scene = read_scene(prompt, color, take)
    rng = random.Random(scene.seed)  # noqa: S311 - shapes, not secrets
    size = (max(round(width * scale), 64), max(round(height * scale), 64))
    image = _sky(scene.palette, size)
    if scene.subject == "abstract":
        _circles(image, scene.palette, rng)
    else:
        _landscape(image, scene, rng)
    return image.filter(ImageFilter.SMOOTH).resize((width, height), Image.Resampling.BICUBIC)


def restyle(source: Path, prompt: str, style: str | None, color: str | None) -> Image.Image:
    """The image in fewer tones, drawn towards the colours of the style, the prompt or `color`."""
    image = open_image(source, _EDITED_AT)
    palette = choose_palette(f"{style or ''} {prompt}".lower().split(), color)
    toned = ImageOps.colorize(
        ImageOps.autocontrast(ImageOps.grayscale(image)), _rgb(palette.near), _rgb(palette.low), _rgb(palette.mid)
    )
    return ImageOps.posterize(Image.blend(image, toned, 0.5), 4)


def enhance(source: Path) -> Image.Image:
    """Balanced levels, a little more colour and sharper edges; the size stays (up to 4096)."""
    image = ImageOps.autocontrast(open_image(source, _LARGEST), cutoff=0.5, preserve_tone=True)
    return ImageEnhance.Sharpness(ImageEnhance.Color(image).enhance(1.1)).enhance(1.4)


def upscale(source: Path) -> Image.Image:
    """Twice the size, but no side over 4096 pixels; transparency is kept."""
    image = open_image(source, _LARGEST, alpha=True)
    factor = min(2.0, _LARGEST / max(image.size))
    large = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)
    return large.convert("RGB") if large.getchannel("A").getextrema()[0] == 255 else large


def _sky(palette: Palette, size: tuple[int, int]) -> Image.Image:
    column = Image.new("RGB", (1, 3))
    for y, colour in enumerate((palette.top, palette.mid, palette.low)):
        column.putpixel((0, y), _rgb(colour))
    return column.resize(size, Image.Resampling.BICUBIC)


def _landscape(image: Image.Image, scene: Scene, rng: random.Random) -> None:
    canvas, palette, (width, height) = ImageDraw.Draw(image), scene.palette, image.size
    radius, x, y = min(image.size) * 0.07, width * rng.uniform(0.2, 0.8), height * rng.uniform(0.15, 0.35)
    canvas.ellipse((x - radius, y - radius, x + radius, y + radius), _rgb(palette.sun))
    steep = {"mountain": 0.35, "city": 0.25, "sea": 0.05}.get(scene.setting, 0.15)
    for layer in range(3):
        base = height * (0.55 + 0.15 * layer)
        crest = [(width * i / 8, base - height * steep * rng.uniform(0.1, 1.0) / (1 + layer)) for i in range(9)]
        if scene.setting == "city":  # flat roofs
            crest = [point for (left, top), (right, _) in pairwise(crest) for point in ((left, top), (right, top))]
        colour = _rgb(mix(palette.far, palette.near, layer / 2))
        canvas.polygon([(0, height), (0, crest[0][1]), *crest, (width, crest[-1][1]), (width, height)], colour)
    if scene.setting == "sea":
        canvas.rectangle((0, height * 0.7, width, height), _rgb(mix(palette.mid, palette.near, 0.4)))
    spot = min(image.size) * 0.05
    for _ in range(3):
        x, y = width * rng.uniform(0.1, 0.9), height * rng.uniform(0.8, 0.92)
        canvas.ellipse((x - spot, y - spot, x + spot, y + spot), _rgb(palette.accent))


def _circles(image: Image.Image, palette: Palette, rng: random.Random) -> None:
    canvas = ImageDraw.Draw(image)
    for colour in (palette.far, palette.leaf, palette.second, palette.accent, palette.sun) * 3:
        radius = min(image.size) * rng.uniform(0.05, 0.3)
        x, y = image.width * rng.random(), image.height * rng.random()
        canvas.ellipse(
            (x - radius, y - radius, x + radius, y + radius), _rgb(mix(colour, palette.mid, rng.random() * 0.4))
        )


def _rgb(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (min(max(round(share * 255), 0), 255) for share in colour)
    return red, green, blue
