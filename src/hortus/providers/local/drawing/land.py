"""The parts of a landscape, each laid over the picture so far (floats from 0 to 1)."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hortus.providers.local.drawing.palette import Colour, Palette

Picture = NDArray[Any]


def noise(rng: np.random.Generator, width: int, height: int, cells: int, octaves: int = 5) -> Picture:
    """Clouds of noise from 0 to 1; `cells` is how many of the largest fit across."""
    total = np.zeros((height, width), np.float32)
    weight, sum_ = 1.0, 0.0
    for octave in range(octaves):
        across = max(2, cells * 2**octave)
        down = max(2, round(across * height / width))
        if across > width or down > height:
            break
        grid = rng.random((down, across), dtype=np.float32)
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        sum_ += weight
        weight *= 0.5
    return np.clip(total / max(sum_, 1e-6), 0, 1)


def ridge(rng: np.random.Generator, width: int, cells: int, rough: float) -> Picture:
    """A skyline: one height from 0 to 1 for each column."""
    line = np.zeros(width, np.float32)
    weight = 1.0
    for octave in range(7):
        count = cells * 2**octave + 2
        if count > width:
            break
        points = rng.random(count, dtype=np.float32)
        line += weight * np.interp(np.linspace(0, count - 1, width), np.arange(count), points).astype(np.float32)
        weight *= rough
    line -= line.min()
    return line / max(float(line.max()), 1e-6)


def lay(picture: Picture, mask: Picture, colour: Colour | Picture) -> None:
    """Cover the picture with a colour where the mask is."""
    paint = np.asarray(colour, np.float32)
    picture += (paint - picture) * mask[:, :, None]


def sky(rng: np.random.Generator, width: int, height: int, palette: Palette, horizon: float) -> Picture:
    """The sky with its light, clouds or stars."""
    down = np.linspace(0, 1 / horizon, height, dtype=np.float32)[:, None, None].clip(0, 1) ** 1.2
    picture = np.ascontiguousarray(
        np.broadcast_to(np.array(palette.high) * (1 - down) + np.array(palette.low) * down, (height, width, 3))
    ).astype(np.float32)
    x, y = rng.uniform(0.2, 0.8) * width, rng.uniform(0.18, 0.62) * horizon * height
    light(picture, x, y, min(width, height) * (0.045 if palette.night else 0.06), palette)
    if palette.night:
        stars(rng, picture, horizon)
    else:
        wisps = noise(rng, width, height, 3, 6)
        wisps = cv2.resize(wisps[:: max(1, height // 256)], (width, height)) if height > 512 else wisps
        fade = np.linspace(1, 0, height, dtype=np.float32)[:, None].clip(0.15, 1)
        lay(picture, np.clip((wisps - 0.52) * 3.2, 0, 0.85) * fade, np.array(palette.low) * 0.35 + 0.65)
    return picture


def light(picture: Picture, x: float, y: float, radius: float, palette: Palette) -> None:
    """A sun or moon with its glow."""
    height, width = picture.shape[:2]
    rows, columns = np.ogrid[:height, :width]
    distance = np.sqrt((columns - x) ** 2 + (rows - y) ** 2).astype(np.float32)
    lay(picture, np.exp(-((distance / (radius * 5)) ** 1.2)) * 0.55, palette.accent)
    lay(
        picture,
        np.clip((radius - distance) / (radius * 0.06 + 1), 0, 1),
        tuple(min(1.0, c * 1.04) for c in palette.accent),
    )  # type: ignore[arg-type]


def stars(rng: np.random.Generator, picture: Picture, horizon: float) -> None:
    """Stars of many sizes and a faint band of them."""
    height, width = picture.shape[:2]
    band = noise(rng, width, height, 3, 6)
    slope = np.abs(
        np.linspace(-0.5, 0.9, width, dtype=np.float32)[None, :] - np.linspace(0, 1, height, dtype=np.float32)[:, None]
    )
    lay(picture, np.clip(0.3 - slope, 0, 1) * band * 0.55, (0.75, 0.78, 0.98))
    glow = np.zeros((height, width), np.float32)
    count = width * height // 2600
    xs, ys = rng.integers(0, width, count), rng.integers(0, max(1, int(height * horizon)), count)
    glow[ys, xs] = rng.random(count, dtype=np.float32) ** 3
    glow += cv2.GaussianBlur(glow, (0, 0), max(0.8, width / 900)) * 3
    lay(picture, glow.clip(0, 1), (1.0, 1.0, 1.0))


def mountains(rng: np.random.Generator, picture: Picture, palette: Palette, horizon: float, layers: int = 4) -> None:
    """Ranges behind one another, paler with distance, lit from one side."""
    height, width = picture.shape[:2]
    rows = np.arange(height, dtype=np.float32)[:, None]
    snow = 0.93 if min(palette.low) > 0.82 else 0.0
    for layer in range(layers):
        near = (layer + 1) / layers
        top = height * (horizon - 0.30 + 0.34 * near)
        line = top - ridge(rng, width, 2 + layer * 2, 0.52) * height * (0.26 - 0.13 * near)
        mask = np.clip(rows - line[None, :], 0, 1.5) / 1.5
        base = np.array(palette.far) * (1 - near) + np.array(palette.near) * near
        haze = np.array(palette.low) * 0.45 * (1 - near)
        slope = cv2.GaussianBlur(np.gradient(line)[None, :].astype(np.float32), (0, 0), width / 60)
        grain = noise(rng, width, height, 10 + 8 * layer, 4)
        shade = 1 + 0.06 * np.tanh(slope) + (grain - 0.5) * 0.22
        depth = np.clip((rows - line[None, :]) / (height * 0.25), 0, 1)
        paint = (base * (1 - 0.45 * (1 - near)) + haze)[None, None, :] * shade[:, :, None]
        paint = paint * (1 - depth[:, :, None] * 0.25) + np.array(palette.low) * depth[:, :, None] * 0.25 * (1 - near)
        if snow and layer < 2:
            cap = np.clip(1 - (rows - line[None, :]) / (height * 0.07) + (grain - 0.5) * 1.4, 0, 1)
            paint = paint * (1 - cap[:, :, None]) + snow * cap[:, :, None]
        lay(picture, mask, paint.astype(np.float32))


def water(rng: np.random.Generator, picture: Picture, palette: Palette, horizon: float) -> None:
    """Water that reflects what stands above it, broken by waves."""
    height, width = picture.shape[:2]
    top = int(height * horizon)
    depth = height - top
    mirror = picture[max(0, top - depth) : top][::-1]
    mirror = cv2.resize(mirror, (width, depth))
    rows = np.arange(depth, dtype=np.float32)[:, None]
    waves = noise(rng, width, depth, 6, 5) - 0.5
    ripple = np.sin(rows / (2.5 + rows * 0.03) + waves * 9)
    shift = (waves * 26 + ripple * (1.5 + rows / depth * 7)).astype(np.float32)
    columns = np.arange(width, dtype=np.float32)[None, :] + shift
    moved = cv2.remap(
        mirror,
        columns.clip(0, width - 1),
        (rows + ripple * 2).astype(np.float32).clip(0, depth - 1) + np.zeros_like(columns),
        cv2.INTER_LINEAR,
    )
    fade = (rows / depth)[:, :, None]
    tone = np.array(palette.near) * 0.5 + np.array(palette.far) * 0.5
    mixed = moved * (0.78 - 0.35 * fade) + tone * (0.22 + 0.35 * fade)
    glint = np.clip(ripple * 0.6 + waves * 2.2 - 0.75, 0, 1)[:, :, None] * 0.45
    picture[top:] = mixed + (np.array(palette.accent) - mixed) * glint


def ground(rng: np.random.Generator, picture: Picture, palette: Palette, top: float, hills: int = 2) -> None:
    """Rolling ground from `top` down."""
    height, width = picture.shape[:2]
    rows = np.arange(height, dtype=np.float32)[:, None]
    for hill in range(hills):
        near = (hill + 1) / hills
        line = height * (top + 0.10 * hill) - ridge(rng, width, 2, 0.3) * height * 0.07
        texture = noise(rng, width, height, 30, 4) - 0.5
        base = np.array(palette.far) * (0.6 * (1 - near)) + np.array(palette.near) * (0.4 + 0.6 * near)
        lit = 1.18 - np.clip((rows - line[None, :]) / (height * 0.35), 0, 1) * 0.5 + texture * 0.28
        lay(
            picture,
            np.clip(rows - line[None, :], 0, 1.5) / 1.5,
            (base[None, None, :] * lit[:, :, None]).astype(np.float32),
        )


def shapes(
    picture: Picture, polygons: list[NDArray[Any]], colour: Colour, blur: float = 0.0, alpha: float = 1.0
) -> None:
    """Filled polygons with soft edges; points in pixels."""
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    shift = 4
    for polygon in polygons:
        cv2.fillPoly(mask, [np.round(polygon * 2**shift).astype(np.int32)], 255, cv2.LINE_AA, shift)
    soft = mask.astype(np.float32) / 255 * alpha
    lay(picture, cv2.GaussianBlur(soft, (0, 0), blur) if blur else soft, colour)
