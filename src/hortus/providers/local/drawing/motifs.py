"""What stands in a landscape: trees, towns, boats, flowers, animals, people."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hortus.providers.local.drawing.land import Picture, light, shapes
from hortus.providers.local.drawing.palette import Colour, Palette


def _blend(a: Colour, b: Colour, share: float) -> Colour:
    return tuple(x * (1 - share) + y * share for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def forest(rng: np.random.Generator, picture: Picture, palette: Palette, base: float) -> None:
    """Three rows of firs and round trees, darker towards the viewer."""
    height, width = picture.shape[:2]
    for row, (count, size, share) in enumerate(((34, 0.13, 0.55), (22, 0.21, 0.25), (9, 0.40, 0.0))):
        colour = _blend(tuple(c * 0.62 for c in palette.near), palette.far, share)  # type: ignore[arg-type]
        foot = height * (base + row * 0.12)
        trees = []
        for x in np.linspace(-0.03, 1.03, count) + rng.uniform(-0.02, 0.02, count):
            tall = height * size * rng.uniform(0.7, 1.15)
            trees += _fir(rng, float(x) * width, foot + rng.uniform(-0.01, 0.03) * height, tall)
        shapes(picture, trees, colour)


def _fir(rng: np.random.Generator, x: float, foot: float, tall: float) -> list[NDArray[Any]]:
    parts = [np.array([[x - tall * 0.02, foot + 4], [x + tall * 0.02, foot + 4], [x, foot - tall]])]
    for level in range(6):
        y = foot - tall * (0.12 + level * 0.15)
        wide = tall * (0.24 - level * 0.034) * rng.uniform(0.85, 1.15)
        parts.append(
            np.array(
                [
                    [x - wide, y],
                    [x - wide * 0.35, y - tall * 0.03],
                    [x, y - tall * 0.24],
                    [x + wide * 0.35, y - tall * 0.03],
                    [x + wide, y],
                    [x, y + tall * 0.012],
                ]
            )
        )
    return parts


def town(rng: np.random.Generator, picture: Picture, palette: Palette, base: float) -> None:
    """Two rows of towers with lit windows."""
    height, width = picture.shape[:2]
    for row, share in enumerate((0.6, 0.0)):
        colour = _blend(tuple(c * 0.75 for c in palette.near), palette.far, share)  # type: ignore[arg-type]
        x, blocks, windows = -10.0, [], []
        while x < width:
            wide = width * rng.uniform(0.045, 0.10) * (1 + 0.4 * row)
            tall = height * rng.uniform(0.16, 0.44) * (1.0 if row == 0 else 0.72)
            top, foot = height * base - tall + height * 0.1 * row, height * 1.01
            blocks.append(np.array([[x, foot], [x, top], [x + wide, top], [x + wide, foot]]))
            if rng.random() < 0.3:
                blocks.append(
                    np.array([[x + wide * 0.45, top], [x + wide * 0.5, top - tall * 0.25], [x + wide * 0.55, top]])
                )
            step = max(5.0, width * 0.0115)
            for wx in np.arange(x + step * 0.6, x + wide - step * 0.7, step):
                for wy in np.arange(top + step, min(foot, height) - step, step * 1.35):
                    if rng.random() < (0.42 if palette.night else 0.22):
                        windows.append(
                            np.array(
                                [
                                    [wx, wy],
                                    [wx + step * 0.45, wy],
                                    [wx + step * 0.45, wy + step * 0.6],
                                    [wx, wy + step * 0.6],
                                ]
                            )
                        )
            x += wide * rng.uniform(1.0, 1.12)
        shapes(picture, blocks, colour)
        shapes(picture, windows, (1.0, 0.86, 0.55), blur=width / 350, alpha=0.5 if palette.night else 0.2)
        shapes(picture, windows, (1.0, 0.89, 0.62), alpha=0.95 if palette.night else 0.5)


def flowers(rng: np.random.Generator, picture: Picture, palette: Palette, base: float) -> None:
    """A meadow of flowers, larger towards the viewer."""
    height, width = picture.shape[:2]
    tints = [palette.accent, (0.98, 0.86, 0.45), (0.86, 0.45, 0.62), (0.97, 0.97, 0.93), (0.62, 0.55, 0.88)]
    places = np.sort(rng.random(170) ** 0.8)
    for depth in places:
        x, y = rng.random() * width, height * (base + 0.03 + (0.99 - base) * depth)
        size = min(width, height) * (0.006 + 0.036 * depth**2) * rng.uniform(0.7, 1.2)
        stem = np.array(
            [
                [x - size * 0.07, y],
                [x + size * 0.07, y],
                [x + size * 0.3, y + size * 4],
                [x + size * 0.16, y + size * 4],
            ]
        )
        shapes_near(picture, [stem], _blend(palette.near, (0.25, 0.5, 0.2), 0.5))
        tint, turn = tints[int(rng.integers(len(tints)))], rng.uniform(0, 2)
        petals = [
            _oval(x + math.cos(a) * size * 0.62, y + math.sin(a) * size * 0.5, size * 0.52, size * 0.3, a)
            for a in np.arange(6) * math.pi / 3 + turn
        ]
        shapes_near(picture, petals, tint)
        shapes_near(picture, [_oval(x, y, size * 0.26, size * 0.24, 0)], (0.95, 0.73, 0.25))


def shapes_near(picture: Picture, polygons: list[NDArray[Any]], colour: Colour) -> None:
    """Like `shapes`, on the small part of the picture that is touched."""
    points = np.concatenate(polygons)
    height, width = picture.shape[:2]
    left, top = np.floor(points.min(0)).astype(int) - 2
    right, bottom = np.ceil(points.max(0)).astype(int) + 3
    left, top, right, bottom = max(0, left), max(0, top), min(width, right), min(height, bottom)
    if left < right and top < bottom:
        shapes(picture[top:bottom, left:right], [polygon - (left, top) for polygon in polygons], colour)


def _oval(x: float, y: float, rx: float, ry: float, turn: float) -> NDArray[Any]:
    angle = np.linspace(0, 2 * math.pi, 20)
    px, py = np.cos(angle) * rx, np.sin(angle) * ry
    return np.stack([x + px * math.cos(turn) - py * math.sin(turn), y + px * math.sin(turn) + py * math.cos(turn)], 1)


def boat(rng: np.random.Generator, picture: Picture, palette: Palette, base: float) -> None:
    """A sailing boat with its reflection."""
    height, width = picture.shape[:2]
    size, x, y = min(width, height) * 0.13, width * rng.uniform(0.3, 0.7), height * (base + 0.10)
    dark: Colour = tuple(c * 0.6 for c in palette.near)  # type: ignore[assignment]
    hull = np.array(
        [
            [x - size * 0.5, y],
            [x + size * 0.55, y],
            [x + size * 0.35, y + size * 0.17],
            [x - size * 0.35, y + size * 0.17],
        ]
    )
    main = np.array([[x, y - size * 0.05], [x, y - size * 1.25], [x + size * 0.5, y - size * 0.05]])
    jib = np.array(
        [[x - size * 0.05, y - size * 0.05], [x - size * 0.05, y - size * 1.05], [x - size * 0.42, y - size * 0.05]]
    )
    for polygon, colour in ((hull, dark), (main, (0.97, 0.95, 0.90)), (jib, palette.accent)):
        flipped = np.stack([polygon[:, 0], 2 * (y + size * 0.17) - polygon[:, 1]], 1)
        shapes(picture, [flipped], colour, blur=3, alpha=0.3)
        shapes(picture, [polygon], colour)


def birds(rng: np.random.Generator, picture: Picture, palette: Palette) -> None:
    """A few birds far away."""
    height, width = picture.shape[:2]
    cx, cy = rng.uniform(0.25, 0.75) * width, rng.uniform(0.15, 0.35) * height
    for _ in range(int(rng.integers(4, 9))):
        x, y = cx + rng.normal(0, 0.07) * width, cy + rng.normal(0, 0.035) * height
        s = min(width, height) * rng.uniform(0.008, 0.017)
        wing = np.array(
            [
                [x - s * 2, y - s * 0.7],
                [x - s * 0.9, y - s * 0.85],
                [x, y],
                [x + s * 0.9, y - s * 0.85],
                [x + s * 2, y - s * 0.7],
                [x + s * 0.9, y - s * 0.5],
                [x, y + s * 0.4],
                [x - s * 0.9, y - s * 0.5],
            ]
        )
        shapes(picture, [wing], tuple(c * 0.5 for c in palette.near))  # type: ignore[arg-type]


def animal(rng: np.random.Generator, picture: Picture, palette: Palette, base: float, kind: str) -> None:
    """A cat, dog, fox, horse or deer as a dark shape against the light."""
    height, width = picture.shape[:2]
    size, x, y = min(width, height) * 0.30, width * rng.uniform(0.4, 0.6), height * (base + 0.07)
    light(picture, x, y - size * 0.6, size * 0.12, palette)
    dark: Colour = tuple(c * 0.42 for c in palette.near)  # type: ignore[assignment]
    parts = (
        _sitting(x, y, size)
        if kind in ("cat", "dog", "fox", "rabbit")
        else _standing(x, y, size, antlers=kind == "deer")
    )
    shapes(picture, parts, dark)
    rim = cv2.GaussianBlur(picture, (0, 0), 1.0)
    picture += (picture - rim) * 0.4


def _sitting(x: float, y: float, s: float) -> list[NDArray[Any]]:
    ears = [
        np.array(
            [
                [x + side * s * 0.19, y - s * 0.86],
                [x + side * s * 0.16, y - s * 1.08],
                [x + side * s * 0.03, y - s * 0.93],
            ]
        )
        for side in (-1, 1)
    ]
    tail = np.stack(
        [x + s * (0.24 + 0.28 * np.sin(np.linspace(0, 2.4, 16))), y - s * 0.03 - s * 0.5 * np.linspace(0, 1, 16) ** 2],
        1,
    )
    tail = np.concatenate([tail, tail[::-1] + np.array([s * 0.07, s * 0.02])])
    return [
        _oval(x, y - s * 0.27, s * 0.27, s * 0.31, 0),
        _oval(x, y - s * 0.58, s * 0.17, s * 0.28, 0),
        _oval(x, y - s * 0.83, s * 0.19, s * 0.16, 0),
        *ears,
        tail,
    ]


def _standing(x: float, y: float, s: float, *, antlers: bool) -> list[NDArray[Any]]:
    legs = [
        np.array(
            [
                [x + dx * s - s * 0.045, y - s * 0.45],
                [x + dx * s + s * 0.045, y - s * 0.45],
                [x + dx * s + s * 0.02, y],
                [x + dx * s - s * 0.03, y],
            ]
        )
        for dx in (-0.32, -0.2, 0.2, 0.32)
    ]
    neck = np.array(
        [
            [x + s * 0.22, y - s * 0.62],
            [x + s * 0.42, y - s * 0.46],
            [x + s * 0.56, y - s * 0.92],
            [x + s * 0.42, y - s * 0.98],
        ]
    )
    parts = [
        _oval(x, y - s * 0.53, s * 0.42, s * 0.17, 0),
        *legs,
        neck,
        _oval(x + s * 0.55, y - s * 0.95, s * 0.15, s * 0.075, 0.45),
    ]
    parts.append(
        np.array(
            [
                [x - s * 0.4, y - s * 0.6],
                [x - s * 0.52, y - s * 0.3],
                [x - s * 0.47, y - s * 0.25],
                [x - s * 0.34, y - s * 0.5],
            ]
        )
    )
    if antlers:
        for lean in (-0.12, 0.06):
            for fork in (0.16, 0.26, 0.36):
                ax, ay = x + s * (0.46 + lean * fork * 4), y - s * (1.0 + fork)
                parts.append(
                    np.array([[x + s * 0.45, y - s], [x + s * 0.47, y - s], [ax + s * 0.06, ay], [ax + s * 0.04, ay]])
                )
    return parts
