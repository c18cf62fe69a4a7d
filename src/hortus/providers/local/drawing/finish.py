"""How a picture is painted: the treatment of a style, then light and grain."""

import cv2
import numpy as np

from hortus.providers.local.drawing.land import Picture, noise


def finish(rng: np.random.Generator, picture: Picture, words: str) -> Picture:
    """The picture treated in the first style its words name; a gentle photographic look otherwise."""
    picture = np.clip(picture, 0, 1).astype(np.float32)
    for names, treat in _TREATMENTS:
        if any(name in words for name in names.split()):
            return np.clip(treat(rng, picture), 0, 1)
    return np.clip(_photograph(rng, picture), 0, 1)


def _bytes(picture: Picture) -> np.ndarray:
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _floats(picture: np.ndarray) -> Picture:
    return picture.astype(np.float32) / 255


def _photograph(rng: np.random.Generator, picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    bloom = cv2.GaussianBlur(np.clip(picture - 0.62, 0, 1), (0, 0), width / 45)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)  # type: ignore[misc]
    vignette = 1 - 0.16 * np.clip(rows**2 + columns**2 - 0.5, 0, 1.5)
    grain = rng.standard_normal((height, width, 1), dtype=np.float32) * 0.011
    return (picture + bloom * 0.55) * vignette[:, :, None] + grain


def _watercolour(rng: np.random.Generator, picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    flat = cv2.pyrMeanShiftFiltering(_bytes(picture), 9, 22) if width * height <= 1200 * 1200 else _bytes(picture)
    wash = _floats(cv2.bilateralFilter(flat, 9, 50, 11))
    edge = cv2.Laplacian(cv2.cvtColor(cv2.GaussianBlur(wash, (0, 0), 1.6), cv2.COLOR_RGB2GRAY), cv2.CV_32F)
    pigment = (noise(rng, width, height, 5, 6) - 0.5)[:, :, None]
    paper = (noise(rng, width, height, max(8, width // 5), 2) - 0.5)[:, :, None]
    light = wash * 0.80 + 0.19
    return light * (1 + pigment * 0.34) + paper * 0.07 - np.clip(np.abs(edge) * 2.2, 0, 0.3)[:, :, None]


def _oil(rng: np.random.Generator, picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    soft = _floats(cv2.medianBlur(_bytes(picture), max(3, width // 170 | 1)))
    angle = noise(rng, width, height, 4, 3) * 6
    strokes = noise(rng, width, height, max(8, width // 6), 2)
    bent = cv2.remap(
        strokes, *np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), cv2.INTER_LINEAR
    )
    streak = cv2.filter2D(bent, -1, np.eye(9, dtype=np.float32) / 9) * np.cos(angle) + cv2.blur(bent, (11, 2)) * np.sin(
        angle
    )
    relief = cv2.Sobel(streak.astype(np.float32), cv2.CV_32F, 1, 1) * 1.6
    return np.clip(soft * 1.06 - 0.03, 0, 1) + np.clip(relief, -0.12, 0.12)[:, :, None]


def _line(_rng: np.random.Generator, picture: Picture) -> Picture:
    grey = cv2.cvtColor(_bytes(picture), cv2.COLOR_RGB2GRAY)
    blurred = cv2.GaussianBlur(255 - grey, (0, 0), picture.shape[1] / 60)
    drawn = cv2.divide(grey, np.maximum(255 - blurred, 1), scale=250).astype(np.float32) / 255
    return np.repeat(np.clip(drawn, 0, 1)[:, :, None] ** 1.3, 3, 2) * np.array([0.99, 0.975, 0.94], np.float32)


def _pixels(_rng: np.random.Generator, picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    across = max(32, min(128, width // 8))
    small = cv2.resize(picture, (across, max(8, round(across * height / width))), interpolation=cv2.INTER_AREA)
    return cv2.resize(np.round(small * 9) / 9, (width, height), interpolation=cv2.INTER_NEAREST)


def _comic(_rng: np.random.Generator, picture: Picture) -> Picture:
    smooth = _floats(cv2.bilateralFilter(_bytes(picture), 9, 70, 9))
    flat = np.round(smooth * 6) / 6
    grey = cv2.medianBlur(cv2.cvtColor(_bytes(picture), cv2.COLOR_RGB2GRAY), 5)
    lines = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, 15, 4)
    hsv = cv2.cvtColor(np.clip(flat, 0, 1), cv2.COLOR_RGB2HSV)
    hsv[:, :, 1] = np.clip(hsv[:, :, 1] * 1.35, 0, 1)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * (lines[:, :, None] / 255 * 0.8 + 0.2).astype(np.float32)


def _anime(_rng: np.random.Generator, picture: Picture) -> Picture:
    smooth = _floats(cv2.bilateralFilter(_bytes(picture), 11, 45, 11))
    hsv = cv2.cvtColor(smooth, cv2.COLOR_RGB2HSV)
    hsv[:, :, 1] = np.clip(hsv[:, :, 1] * 1.4, 0, 1)
    hsv[:, :, 2] = np.clip(hsv[:, :, 2] * 1.08 + 0.03, 0, 1)
    glow = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return glow + cv2.GaussianBlur(np.clip(glow - 0.7, 0, 1), (0, 0), picture.shape[1] / 35) * 0.7


def _minimal(_rng: np.random.Generator, picture: Picture) -> Picture:
    smooth = cv2.GaussianBlur(picture, (0, 0), picture.shape[1] / 220)
    return np.round(smooth * 7) / 7 * 0.94 + 0.04


_TREATMENTS = (
    ("watercolor watercolour aquarelle gouache", _watercolour),
    ("oil impressionis gogh monet canvas painting painted", _oil),
    ("line pencil ink sketch charcoal", _line),
    ("pixel 8-bit 8bit retro-game", _pixels),
    ("comic cartoon pop-art", _comic),
    ("anime manga ghibli", _anime),
    ("minimal flat vector poster", _minimal),
)
