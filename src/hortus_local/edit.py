"""Edits of a customer's image: style, light, size, background."""

import contextlib
from pathlib import Path

import cv2
import numpy as np

from hortus_local.drawing.canvas import Floats
from hortus_local.drawing.palette import at_brightness, read_colour
from hortus_local.drawing.render_style import apply_style
from hortus_local.face import find_face
from hortus_local.images import Pixels, read_image

_WORKED_AT = 1536
_LARGEST = 4096
"""Pixels of the longer side that an upscaled image may have."""


def restyle(source: Path, prompt: str, style: str | None, color: str | None, take: int = 0) -> Pixels:
    """The image rendered in the style, at most 1536 pixels long, drawn towards the colour if one is given."""
    image = _to_floats(read_image(source, _WORKED_AT))
    colour = read_colour(color)
    if colour is not None:
        grey = image @ np.array((0.30, 0.59, 0.11), np.float32)
        table = np.array([at_brightness(colour, v / 255) for v in range(256)], np.float32)
        image = image * 0.5 + table[np.clip(grey * 255, 0, 255).astype(int)] * 0.5
    return _to_pixels(apply_style(image, style, prompt, 1000 + take))


def enhance(source: Path) -> Pixels:
    """Balanced colours, opened shadows, local contrast, less noise, sharper edges; the size stays (up to 4096)."""
    pixels = read_image(source, _LARGEST)
    image = _to_floats(pixels)
    means = image.reshape(-1, 3).mean(axis=0)
    gains = np.clip(means.mean() / np.maximum(means, 1e-3), 0.85, 1.18) ** 0.5
    low, high = np.percentile(image[::4, ::4], (0.5, 99.5))
    image = np.clip((image * gains - low) / max(float(high - low), 0.2), 0, 1).astype(np.float32)
    lab = cv2.cvtColor(_to_pixels(image), cv2.COLOR_RGB2LAB)
    light = cv2.createCLAHE(clipLimit=1.6, tileGridSize=(8, 8)).apply(lab[:, :, 0])
    lab[:, :, 0] = cv2.addWeighted(lab[:, :, 0], 0.45, light, 0.55, 0)
    better = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    calm = cv2.bilateralFilter(better, 5, 18, 3)
    sharp = cv2.addWeighted(calm, 1.55, cv2.GaussianBlur(calm, (0, 0), 1.4), -0.55, 0)
    grey = cv2.cvtColor(sharp, cv2.COLOR_RGB2GRAY)[:, :, None].astype(np.float32)
    return np.clip(grey + (sharp.astype(np.float32) - grey) * 1.10, 0, 255).astype(np.uint8)


def upscale(source: Path) -> Pixels:
    """Twice the size, but no side over 4096 pixels, with crisp edges; transparency is kept."""
    pixels = read_image(source, _LARGEST, alpha=True)
    height, width = pixels.shape[:2]
    factor = min(2.0, _LARGEST / max(height, width))
    size = (round(width * factor), round(height * factor))
    large = cv2.resize(pixels, size, interpolation=cv2.INTER_LANCZOS4)
    colours = large[:, :, :3]
    # Sharpen, but stay between the darkest and the lightest neighbour: no halos.
    sharp = cv2.addWeighted(colours, 1.7, cv2.GaussianBlur(colours, (0, 0), 1.6), -0.7, 0)
    around = np.ones((3, 3), np.uint8)
    colours = np.clip(sharp, cv2.erode(colours, around), cv2.dilate(colours, around))
    if int(large[:, :, 3].min()) == 255:
        return np.ascontiguousarray(colours).astype(np.uint8)
    return np.dstack([colours, large[:, :, 3]]).astype(np.uint8)


def remove_background(source: Path) -> Pixels:
    """The subject of the image with the rest transparent: a person if there is one, else the salient part."""
    pixels = read_image(source, _WORKED_AT)
    height, width = pixels.shape[:2]
    scale = min(360 / max(height, width), 1.0)
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    marks = _mark_person(pixels, small.shape[:2], scale)
    if marks is None:
        marks = _mark_salient(small)
    back, front = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(1)
    with contextlib.suppress(cv2.error):  # a flat image has no foreground
        cv2.grabCut(cv2.cvtColor(small, cv2.COLOR_RGB2BGR), marks, (0, 0, 1, 1), back, front, 5, cv2.GC_INIT_WITH_MASK)
    mask = np.where((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    mask = _keep_large(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))
    large = cv2.resize(mask, (width, height), interpolation=cv2.INTER_CUBIC)
    soft = cv2.GaussianBlur(large, (0, 0), max(0.8 / scale, 0.8)).astype(np.float32)
    alpha = np.clip((soft - 70) * 1.6, 0, 255).astype(np.uint8)
    pixels[alpha == 0] = 0  # removed pixels must not stay in the file
    return np.dstack([pixels, alpha])


def _mark_person(pixels: Pixels, size: tuple[int, int], scale: float) -> np.ndarray | None:
    """Where a person surely is and surely is not, from where the face is."""
    face = find_face(pixels)
    if face is None:
        return None
    h = size[0]
    x, y, s = face.x * scale, face.y * scale, face.size * scale
    cx = x + s / 2
    marks = np.full(size, cv2.GC_BGD, np.uint8)
    cv2.ellipse(marks, (int(cx), int(y + s * 0.5)), (int(s * 1.05), int(s * 1.15)), 0, 0, 360, int(cv2.GC_PR_BGD), -1)
    body = np.array(
        [
            (cx - s * 0.6, y + s),
            (cx + s * 0.6, y + s),
            (cx + s * 2.0, y + s * 2.2),
            (cx + s * 2.2, h),
            (cx - s * 2.2, h),
            (cx - s * 2.0, y + s * 2.2),
        ]
    )
    cv2.fillPoly(marks, [body.astype(np.int32)], int(cv2.GC_PR_BGD))
    likely = np.array(
        [
            (cx - s * 0.5, y + s * 1.2),
            (cx + s * 0.5, y + s * 1.2),
            (cx + s * 1.2, y + s * 1.8),
            (cx + s * 1.35, h),
            (cx - s * 1.35, h),
            (cx - s * 1.2, y + s * 1.8),
        ]
    )
    cv2.fillPoly(marks, [likely.astype(np.int32)], int(cv2.GC_PR_FGD))
    cv2.ellipse(marks, (int(cx), int(y + s * 0.45)), (int(s * 0.62), int(s * 0.78)), 0, 0, 360, int(cv2.GC_PR_FGD), -1)
    cv2.ellipse(marks, (int(cx), int(y + s * 0.5)), (int(s * 0.38), int(s * 0.50)), 0, 0, 360, int(cv2.GC_FGD), -1)
    cv2.rectangle(marks, (int(cx - s * 0.22), int(y + s)), (int(cx + s * 0.22), h), int(cv2.GC_FGD), -1)
    return marks


def _mark_salient(small: Pixels) -> np.ndarray:
    """Mark pixels that differ from the border's colours, away from the border, as the likely subject."""
    h, w = small.shape[:2]
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    rim = max(min(h, w) // 20, 2)
    border = np.concatenate([lab[:rim].reshape(-1, 3), lab[:, :rim].reshape(-1, 3), lab[:, -rim:].reshape(-1, 3)])
    _, _, centres = cv2.kmeans(np.ascontiguousarray(border), 4, None, (3, 10, 1.0), 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    away = np.min(np.linalg.norm(lab[:, :, None] - centres[None, None], axis=3), axis=2)
    x, y = np.linspace(-1, 1, w)[None, :], np.linspace(-1, 1, h)[:, None]
    score = cv2.GaussianBlur(away, (0, 0), 3) * np.exp(-(x**2 + y**2) * 0.8)
    marks = np.where(score > np.percentile(score, 66), cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[score > np.percentile(score, 94)] = cv2.GC_FGD
    marks[:rim], marks[:, :rim], marks[:, -rim:] = cv2.GC_BGD, cv2.GC_BGD, cv2.GC_BGD
    return marks


def _keep_large(mask: np.ndarray) -> np.ndarray:
    """Only the largest piece and those not much smaller; holes are filled."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return np.full_like(mask, 255)
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = np.isin(labels, 1 + np.flatnonzero(areas >= areas.max() * 0.25)).astype(np.uint8) * 255
    return cv2.morphologyEx(kept, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))


def _to_floats(pixels: Pixels) -> Floats:
    return pixels.astype(np.float32) * np.float32(1 / 255)


def _to_pixels(image: Floats) -> Pixels:
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
