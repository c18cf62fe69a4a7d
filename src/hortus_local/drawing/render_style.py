"""Ways to render a finished image: as if photographed, painted, printed or inked."""

import hashlib
import re
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from hortus_local.drawing.canvas import Floats
from hortus_local.drawing.noise import clouds

RenderStyle = Callable[[Floats, np.random.Generator], Floats]


def apply_style(image: Floats, style: str | None, prompt: str, seed: int) -> Floats:
    """Render in the named style, else in one the prompt names, else as a photograph. Any name works."""
    rng = np.random.default_rng([seed, 90])
    named = find_style(style or "")
    way = named or (find_style(prompt) if not style else None) or photographic
    result = way(image, rng)
    if style and named is None:  # an unknown style still changes the image, the same way every time
        result = _grade(result, style)
    return np.clip(result, 0, 1)


def find_style(words: str) -> RenderStyle | None:
    """The style of the first word that names one."""
    return next((_BY_WORD[word] for word in re.findall(r"[a-z0-9]+", words.lower()) if word in _BY_WORD), None)


def _luma(image: Floats) -> Floats:
    return image @ np.array((0.30, 0.59, 0.11), np.float32)


def _saturate(image: Floats, amount: float) -> Floats:
    grey = _luma(image)[:, :, None]
    return grey + (image - grey) * np.float32(amount)


def _bloom(image: Floats, strength: float) -> Floats:
    """Light that spills; done small, for it is soft anyway."""
    h, w = image.shape[:2]
    small = cv2.resize(np.clip(image - 0.62, 0, 1), (max(w // 4, 1), max(h // 4, 1)), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), max(min(h, w) / 110, 0.8))
    return image + cv2.resize(soft, (w, h)) * np.float32(strength)


def _vignette(image: Floats, strength: float) -> Floats:
    h, w = image.shape[:2]
    x = np.linspace(-1, 1, w, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, h, dtype=np.float32)[:, None]
    return image * (1 - np.float32(strength) * np.clip((x * x + y * y) / 2, 0, 1) ** 1.4)[:, :, None]


def _contrast(image: Floats, amount: float) -> Floats:
    x = np.clip(image, 0, 1)
    return x + (x * x * (3 - 2 * x) - x) * np.float32(amount)


def _grain(image: Floats, rng: np.random.Generator, amount: float) -> Floats:
    h, w = image.shape[:2]
    return image + rng.standard_normal((h, w, 1), np.float32) * np.float32(amount)


def _smooth_8bit(image: Floats, way: Callable[[np.ndarray], np.ndarray]) -> Floats:
    done = way((np.clip(image, 0, 1) * 255).astype(np.uint8))
    return done.astype(np.float32) * np.float32(1 / 255)


def _flatten(image: Floats, size: int, times: int) -> Floats:
    """Even out small things, at half size: medians are dear."""
    h, w = image.shape[:2]
    flat = cv2.resize(image, (max(w // 2, 2), max(h // 2, 2)), interpolation=cv2.INTER_AREA)
    for _ in range(times):
        flat = _smooth_8bit(flat, lambda x: cv2.medianBlur(x, size))
    return cv2.resize(flat, (w, h), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def photographic(image: Floats, rng: np.random.Generator) -> Floats:
    """Bloom, contrast, a darker rim and a little grain."""
    return _grain(_vignette(_contrast(_bloom(image, 0.30), 0.45), 0.30), rng, 0.014)


def cinematic(image: Floats, rng: np.random.Generator) -> Floats:
    """Teal shadows, amber lights."""
    light = np.clip(_luma(image), 0, 1)[:, :, None]
    toned = (
        image * (1 - 0.30)
        + image
        * (np.array((0.72, 1.0, 1.16), np.float32) * (1 - light) + np.array((1.18, 1.02, 0.78), np.float32) * light)
        * 0.30
    )
    return _grain(_vignette(_contrast(_bloom(toned, 0.35), 0.65), 0.42), rng, 0.016)


def watercolour(image: Floats, rng: np.random.Generator) -> Floats:
    """Washes that pool at their edges on rough paper, with a ragged border."""
    h, w = image.shape[:2]
    flat = _flatten(image, 5, 2)
    xs, ys = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    a, b = (cv2.resize(clouds(rng, w // 2, h // 2, cells=22, octaves=3), (w, h)) - 0.5 for _ in range(2))
    reach = min(h, w) * 0.018
    flat = cv2.remap(flat, xs + a * reach, ys + b * reach, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    steps = np.float32(9)
    wash = flat * 0.55 + (np.round(flat * steps + (a[:, :, None] * 0.9)) / steps) * 0.45
    grey = _luma(wash)
    edge = np.clip(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 2.5)) * 4.5, 0, 0.30)
    pigment = cv2.resize(clouds(rng, w // 2, h // 2, cells=5, octaves=5), (w, h))
    wash = _saturate(wash, 1.5) * (1 - edge[:, :, None]) * (0.94 + 0.24 * pigment[:, :, None])
    wash = 0.10 + 0.90 * wash + (1 - wash) * 0.08
    paper = 0.965 + (cv2.GaussianBlur(rng.standard_normal((h, w), np.float32), (0, 0), 1.1)) * 0.028
    x = np.minimum(xs, w - 1 - xs) / min(h, w)
    y = np.minimum(ys, h - 1 - ys) / min(h, w)
    inside = np.clip((np.minimum(x, y) - 0.028 + (pigment - 0.5) * 0.05 + a * 0.02) * 60, 0, 1)[:, :, None]
    sheet = paper[:, :, None] * np.array((1.0, 0.985, 0.955), np.float32)
    return sheet * (1 - inside) + wash * sheet * inside


def oil(image: Floats, rng: np.random.Generator) -> Floats:
    """Thick strokes that follow the forms, with light on their ridges."""
    h, w = image.shape[:2]
    k = max(round(min(h, w) / 260), 2)
    xs, ys = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    grey = cv2.GaussianBlur(_luma(image), (0, 0), k * 3.0)
    gx, gy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    turn = cv2.resize(clouds(rng, w // 4, h // 4, cells=3, octaves=2), (w, h)) * 6.3
    size = np.sqrt(gx * gx + gy * gy) + 1e-4
    sure = np.clip(size * 60, 0, 1)
    tx, ty = -gy / size * sure + np.cos(turn) * (1 - sure), gx / size * sure + np.sin(turn) * (1 - sure)
    bristle = cv2.resize(rng.random((h // 2, w // 2), np.float32), (w, h), interpolation=cv2.INTER_LINEAR)
    stroke = np.zeros((h, w), np.float32)
    smear = np.zeros_like(image)
    for step in (-4, -2, 0, 2, 4):
        mx, my = xs + tx * step * k * 0.8, ys + ty * step * k * 0.8
        stroke += cv2.remap(bristle, mx, my, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT) / 5
        smear += cv2.remap(image, mx, my, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT) / 5
    smear = _smooth_8bit(smear, lambda x: cv2.medianBlur(x, 7))
    relief = cv2.Sobel(stroke, cv2.CV_32F, 1, 1, ksize=3) + cv2.Sobel(stroke, cv2.CV_32F, 0, 1, ksize=3)
    smear = smear + (stroke[:, :, None] - 0.5) * 0.16 + np.clip(relief * 0.20, -0.10, 0.13)[:, :, None]
    return _contrast(_saturate(smear, 1.22), 0.45)


def line_art(image: Floats, rng: np.random.Generator) -> Floats:
    """Ink on paper: outlines, and hatching where it is dark."""
    h, w = image.shape[:2]
    grey = np.clip(_luma(_smooth_8bit(image, lambda x: cv2.medianBlur(x, 5))), 0, 1)
    fine = max(min(h, w) / 900, 0.7)
    edge = cv2.GaussianBlur(grey, (0, 0), fine) - cv2.GaussianBlur(grey, (0, 0), fine * 2.2)
    ink = np.clip((-edge - 0.006) * 60, 0, 1)
    xs, ys = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    wobble = cv2.resize(clouds(rng, w // 4, h // 4, cells=8, octaves=3), (w, h)) * 9
    soft = cv2.GaussianBlur(grey, (0, 0), fine * 3)
    even = np.interp(soft, np.sort(soft[::9, ::9].ravel()), np.linspace(0, 1, soft[::9, ::9].size)).astype(np.float32)
    for turn, level in ((0.7, 0.42), (-0.7, 0.24), (0.0, 0.10)):
        wave = np.sin(((xs * np.cos(turn) + ys * np.sin(turn)) + wobble) * (2.1 / max(fine, 1)))
        ink = np.maximum(ink, np.clip((wave - 0.35) * 2, 0, 1) * np.clip((level - even) * 9, 0, 1) * 0.85)
    paper = np.array((0.985, 0.97, 0.94), np.float32) + rng.standard_normal((h, w, 1), np.float32) * 0.008
    return paper + (np.array((0.10, 0.10, 0.16), np.float32) - paper) * ink[:, :, None]


def pencil(image: Floats, rng: np.random.Generator) -> Floats:
    """Graphite: soft tones and paper tooth."""
    h, w = image.shape[:2]
    grey = _luma(image)
    dodge = np.clip(grey / (cv2.GaussianBlur(grey, (0, 0), min(h, w) / 60) + 0.06), 0, 1)
    tooth = cv2.GaussianBlur(rng.standard_normal((h, w), np.float32), (0, 0), 0.8) * 0.10
    tone = np.clip(0.62 * dodge + 0.36 * np.sqrt(np.clip(grey, 0, 1)) + tooth * (1.05 - grey), 0, 1)
    return np.repeat(tone[:, :, None], 3, 2) * np.array((0.98, 0.97, 0.95), np.float32)


def _quantise(image: Floats, colours: int) -> Floats:
    bitmap = Image.fromarray((np.clip(image, 0, 1) * 255).astype(np.uint8))
    reduced = bitmap.quantize(colours, method=Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE)
    return np.asarray(reduced.convert("RGB")).astype(np.float32) / 255


def pixel(image: Floats, rng: np.random.Generator) -> Floats:
    """Large square pixels in few colours."""
    h, w = image.shape[:2]
    cells = 128 / min(h, w)
    small = cv2.resize(image, (max(int(w * cells), 2), max(int(h * cells), 2)), interpolation=cv2.INTER_AREA)
    return cv2.resize(_quantise(_contrast(_saturate(small, 1.3), 0.4), 28), (w, h), interpolation=cv2.INTER_NEAREST)  # type: ignore[return-value]


def _outline(image: Floats, strength: float, width: float) -> Floats:
    grey = _luma(image)
    edge = cv2.GaussianBlur(grey, (0, 0), width) - cv2.GaussianBlur(grey, (0, 0), width * 1.9)
    return np.clip((-edge - 0.010) * strength, 0, 1)[:, :, None]  # type: ignore[no-any-return]


def comic(image: Floats, rng: np.random.Generator) -> Floats:
    """Flat colours, black outlines, printed dots in the shade."""
    h, w = image.shape[:2]
    smooth = _flatten(image, 5, 1)
    flat = _quantise(_contrast(_saturate(smooth, 1.55), 0.6), 14)
    pitch = max(min(h, w) / 130, 4.0)
    xs, ys = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    dots = np.sin((xs + ys) * 4.44 / pitch) * np.sin((xs - ys) * 4.44 / pitch)
    shade = np.clip((dots - (_luma(smooth) * 2.4 - 0.75)) * 3, 0, 1)[:, :, None] * 0.34
    ink = _outline(smooth, 34, max(min(h, w) / 620, 1.0))
    return (flat * (1 - shade)) * (1 - ink) + np.array((0.05, 0.04, 0.08), np.float32) * ink


def minimal(image: Floats, rng: np.random.Generator) -> Floats:
    """A few calm, flat colours."""
    h, w = image.shape[:2]
    small = cv2.resize(image, (max(w // 4, 2), max(h // 4, 2)), interpolation=cv2.INTER_AREA)
    smooth = _smooth_8bit(small, lambda x: cv2.medianBlur(cv2.medianBlur(x, 7), 7))
    flat = cv2.resize(_quantise(smooth, 8), (w, h), interpolation=cv2.INTER_CUBIC)
    return _grain(flat * 0.90 + 0.09, rng, 0.006)


def anime(image: Floats, rng: np.random.Generator) -> Floats:
    """Clean cells of clear colour, thin lines, light that glows."""
    h, w = image.shape[:2]
    smooth = _smooth_8bit(image, lambda x: cv2.bilateralFilter(cv2.medianBlur(x, 5), 5, 40, 5))
    grey = np.clip(_luma(smooth), 0.02, 1)
    steps = np.round(grey * 8) / 8
    cell = smooth * (0.45 + 0.55 * (steps + 0.04) / grey)[:, :, None]
    ink = _outline(smooth, 18, max(min(h, w) / 900, 0.8)) * 0.62
    glow = _bloom(np.clip(_saturate(cell, 1.45) * 1.06 + 0.02, 0, 1.2), 0.75)
    return glow * (1 - ink) + np.array((0.16, 0.10, 0.22), np.float32) * ink


def neon(image: Floats, rng: np.random.Generator) -> Floats:
    """Magenta and cyan over dark, glowing."""
    light = np.clip(_luma(image), 0, 1)[:, :, None]
    toned = (
        np.array((0.05, 0.01, 0.14), np.float32) * (1 - light) + np.array((0.25, 0.95, 1.0), np.float32) * light**1.6
    )
    pink = np.array((1.0, 0.12, 0.62), np.float32) * (1 - np.abs(light - 0.45) * 2.2).clip(0, 1) * 0.75
    return _grain(_vignette(_bloom(_contrast(0.30 * image + 0.62 * toned + pink * 0.72, 0.6), 1.0), 0.45), rng, 0.016)


def vintage(image: Floats, rng: np.random.Generator) -> Floats:
    """A faded print."""
    sepia = _luma(image)[:, :, None] * np.array((1.08, 0.90, 0.68), np.float32)
    return _grain(_vignette(0.10 + 0.82 * (0.42 * image + 0.58 * sepia), 0.40), rng, 0.028)


def noir(image: Floats, rng: np.random.Generator) -> Floats:
    """Black and white, hard light."""
    return _grain(_vignette(_contrast(np.repeat(_luma(_bloom(image, 0.3))[:, :, None], 3, 2), 0.95), 0.5), rng, 0.024)


def _grade(image: Floats, style: str) -> Floats:
    """A grading that belongs to the style's name alone."""
    digest = hashlib.sha256(style.lower().encode()).digest()
    tone = np.array([0.86 + 0.28 * b / 255 for b in digest[:3]], np.float32)
    return _contrast(_saturate(image * tone, 0.75 + 0.65 * digest[3] / 255), 0.5 * digest[4] / 255)


_WORDS: dict[RenderStyle, str] = {
    photographic: "photographic photo photograph photorealistic realistic realism natural portrait hdr 3d render studio none",
    cinematic: "cinematic film movie dramatic epic fantasy",
    watercolour: "watercolour watercolor aquarelle gouache wash",
    oil: "oil painting impressionist impressionism painterly acrylic canvas expressionist gogh monet baroque",
    line_art: "line lineart ink engraving etching woodcut outline doodle",
    pencil: "pencil sketch graphite charcoal drawing",
    pixel: "pixel pixelart 8bit 16bit retro isometric",
    comic: "comic cartoon comics pop popart graphic manga halftone",
    minimal: "minimal minimalist minimalistic flat vector simple paper lowpoly",
    anime: "anime ghibli digital illustration storybook cel",
    neon: "neon cyberpunk synthwave vaporwave futuristic",
    vintage: "vintage sepia antique old analog polaroid",
    noir: "noir monochrome bw",
}
_BY_WORD = {word: way for way, words in _WORDS.items() for word in words.split()}
