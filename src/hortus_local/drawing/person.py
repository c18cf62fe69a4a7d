"""Portraits: head and shoulders of a person."""

from dataclasses import dataclass

import numpy as np

from hortus_local.drawing.canvas import Canvas, Floats, Point, oval, smooth
from hortus_local.drawing.colour import Colour, mix

SKINS: tuple[Colour, ...] = ((0.95, 0.78, 0.66), (0.88, 0.68, 0.53), (0.74, 0.53, 0.39), (0.55, 0.37, 0.27))
HAIRS: dict[str, Colour] = {
    "black": (0.13, 0.10, 0.11), "brown": (0.29, 0.17, 0.11), "auburn": (0.45, 0.19, 0.10),
    "blonde": (0.80, 0.62, 0.34), "grey": (0.62, 0.61, 0.62), "red": (0.63, 0.25, 0.11),
}  # fmt: skip
_INK: Colour = (0.12, 0.08, 0.09)
_WHITE: Colour = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Looks:
    """The features of a person."""

    skin: Colour = SKINS[1]
    hair: Colour = HAIRS["brown"]
    clothes: Colour = (0.16, 0.42, 0.40)
    iris: Colour = (0.25, 0.17, 0.10)
    style: str = "long"
    beard: bool = False


class _Figure:
    """A canvas with the unit square of the figure laid on it."""

    def __init__(self, canvas: Canvas, x: float, y: float, size: float, looks: Looks) -> None:
        self.canvas, self.x, self.y, self.size, self.looks = canvas, x, y, size, looks
        self.shade = mix(looks.skin, (0.36, 0.11, 0.10), 0.45)
        self.deep = mix(looks.skin, (0.20, 0.05, 0.07), 0.70)
        self.light = mix(looks.skin, (1.0, 0.96, 0.88), 0.55)

    def at(self, points: list[Point]) -> list[Point]:
        """Places on the canvas of points of the unit square."""
        return [(self.x + px * self.size, self.y + py * self.size) for px, py in points]

    def curve(self, points: list[Point], *, closed: bool = True) -> list[Point]:
        """The same, rounded."""
        return self.at(smooth(points, closed=closed))

    def both(self, points: list[Point]) -> list[list[Point]]:
        """A shape and its mirror image."""
        return [points, [(1 - px, py) for px, py in points]]

    def fill(self, points: list[Point], colour: Colour, *, to: Colour | None = None, blur: float = 0.0,
             alpha: float = 1.0, inside: Floats | None = None) -> None:  # fmt: skip
        """Fill a closed rounded shape; `blur` in units."""
        outline = self.curve(points) if len(points) < 30 else self.at(points)
        self.canvas.shape(outline, colour, to=to, blur=blur * self.size, alpha=alpha, inside=inside)


def draw_person(canvas: Canvas, x: float, y: float, size: float, looks: Looks) -> None:
    """Draw the person into the square of `size` pixels at (x, y); shoulders run off its lower edge."""
    figure = _Figure(canvas, x, y, size, looks)
    _draw_back_hair(figure)
    _draw_body(figure)
    face = _draw_face(figure)
    for mirrored in (False, True):
        _draw_eye(figure, mirrored=mirrored)
    _draw_nose(figure)
    _draw_mouth(figure)
    if looks.beard:
        _draw_beard(figure, face)
    _draw_front_hair(figure)


_FACE: list[Point] = [
    (0.5, 0.155), (0.615, 0.185), (0.682, 0.28), (0.692, 0.40), (0.674, 0.50), (0.632, 0.590), (0.565, 0.655),
    (0.5, 0.672), (0.435, 0.655), (0.368, 0.590), (0.326, 0.50), (0.308, 0.40), (0.318, 0.28), (0.385, 0.185),
]  # fmt: skip


_EAR: list[Point] = [(0.322, 0.37), (0.295, 0.365), (0.283, 0.41), (0.296, 0.47), (0.325, 0.485)]


def _draw_back_hair(figure: _Figure) -> None:
    hair, dark = figure.looks.hair, mix(figure.looks.hair, (0.0, 0.0, 0.02), 0.45)
    if figure.looks.style == "long":
        figure.fill([(0.5, 0.065), (0.66, 0.105), (0.745, 0.24), (0.765, 0.42), (0.79, 0.60), (0.80, 0.78), (0.71, 0.86),
                     (0.5, 0.80), (0.29, 0.86), (0.20, 0.78), (0.21, 0.60), (0.235, 0.42), (0.255, 0.24), (0.34, 0.105)],
                    hair, to=dark, blur=0.0012)  # fmt: skip
    elif figure.looks.style == "bun":
        figure.fill(oval(0.5, 0.075, 0.11, 0.085), mix(hair, dark, 0.2), to=dark, blur=0.001)
        figure.fill(oval(0.5, 0.29, 0.222, 0.215), hair, to=dark, blur=0.0012)
    else:
        figure.fill(oval(0.5, 0.275, 0.212, 0.195), hair, to=dark, blur=0.0012)


def _draw_body(figure: _Figure) -> None:
    looks, skin = figure.looks, figure.looks.skin
    cloth, dim = looks.clothes, mix(looks.clothes, (0.03, 0.03, 0.08), 0.5)
    throat: list[Point] = [(0.42, 0.55), (0.42, 0.70), (0.375, 0.80), (0.36, 0.88), (0.5, 0.98), (0.64, 0.88),
                           (0.625, 0.80), (0.58, 0.70), (0.58, 0.55)]  # fmt: skip
    figure.fill(throat, mix(skin, figure.shade, 0.22), to=skin)
    neck = figure.canvas.mask(figure.curve(throat))
    figure.fill([(0.40, 0.60), (0.5, 0.69), (0.60, 0.60), (0.592, 0.715), (0.5, 0.765), (0.408, 0.715)],
                figure.shade, blur=0.010, alpha=0.62, inside=neck)  # fmt: skip
    body: list[Point] = [(0.352, 0.792), (0.27, 0.830), (0.14, 0.872), (0.06, 0.96), (0.03, 1.15), (0.97, 1.15),
                         (0.94, 0.96), (0.86, 0.872), (0.73, 0.830), (0.648, 0.792), (0.60, 0.885), (0.5, 0.928),
                         (0.40, 0.885)]  # fmt: skip
    figure.fill(body, mix(cloth, _WHITE, 0.10), to=dim)
    mask = figure.canvas.mask(figure.curve(body))
    for side in figure.both([(0.16, 0.90), (0.25, 0.93), (0.27, 1.05), (0.22, 1.1), (0.18, 1.0)]):
        figure.fill(side, dim, blur=0.016, alpha=0.5, inside=mask)
    figure.fill([(0.20, 0.85), (0.30, 0.83), (0.37, 0.90), (0.33, 1.0), (0.24, 0.93)], mix(cloth, _WHITE, 0.4),
                blur=0.022, alpha=0.35, inside=mask)  # fmt: skip
    collar: list[Point] = [(0.352, 0.792), (0.40, 0.885), (0.5, 0.928), (0.60, 0.885), (0.648, 0.792)]
    figure.canvas.line(figure.curve(collar, closed=False), mix(cloth, _WHITE, 0.35), figure.size * 0.014)
    figure.canvas.line(figure.curve(collar, closed=False), dim, figure.size * 0.003, alpha=0.6)


def _draw_face(figure: _Figure) -> Floats:
    skin = figure.looks.skin
    ears = [] if figure.looks.style == "long" else figure.both(_EAR)
    for ear in ears:
        figure.fill(ear, mix(skin, figure.shade, 0.25))
    figure.fill(_FACE, mix(skin, _WHITE, 0.06), to=skin)
    mask = figure.canvas.mask(figure.curve(_FACE))
    figure.fill([(0.70, 0.20), (0.72, 0.45), (0.66, 0.64), (0.5, 0.72), (0.60, 0.62), (0.655, 0.48), (0.66, 0.30)],
                figure.shade, blur=0.022, alpha=0.55, inside=mask)  # fmt: skip
    figure.fill([(0.30, 0.22), (0.29, 0.45), (0.34, 0.64), (0.44, 0.69), (0.36, 0.60), (0.335, 0.48), (0.335, 0.30)],
                figure.shade, blur=0.018, alpha=0.30, inside=mask)  # fmt: skip
    figure.fill([(0.33, 0.14), (0.5, 0.10), (0.67, 0.14), (0.685, 0.29), (0.5, 0.215), (0.315, 0.29)], figure.shade,
                blur=0.020, alpha=0.45, inside=mask)  # fmt: skip
    figure.fill(oval(0.47, 0.285, 0.095, 0.045), figure.light, blur=0.026, alpha=0.55, inside=mask)
    blush = mix(skin, (0.92, 0.28, 0.27), 0.5)
    for cheek in figure.both(oval(0.395, 0.495, 0.052, 0.036)):
        figure.fill(cheek, blush, blur=0.022, alpha=0.34, inside=mask)
    for top in figure.both(oval(0.400, 0.462, 0.036, 0.016, -14)):
        figure.fill(top, figure.light, blur=0.012, alpha=0.60, inside=mask)
    figure.fill(oval(0.5, 0.632, 0.032, 0.016), figure.light, blur=0.010, alpha=0.40, inside=mask)
    return mask


def _draw_eye(figure: _Figure, *, mirrored: bool) -> None:
    def side(points: list[Point]) -> list[Point]:
        return [(1 - px, py) for px, py in points] if mirrored else points

    cx = 0.5 + (0.089 if mirrored else -0.089)
    eye = side([(0.360, 0.398), (0.380, 0.376), (0.411, 0.368), (0.441, 0.380), (0.458, 0.404), (0.436, 0.413),
                (0.410, 0.417), (0.380, 0.412)])  # fmt: skip
    figure.fill(side(oval(0.411, 0.383, 0.066, 0.040)), figure.shade, blur=0.014, alpha=0.62)
    figure.fill(eye, (0.97, 0.955, 0.94))
    mask = figure.canvas.mask(figure.curve(eye))
    iris = figure.looks.iris
    figure.fill(oval(cx, 0.392, 0.0258, 0.0258), mix(iris, _INK, 0.55), inside=mask)
    figure.fill(oval(cx, 0.394, 0.0215, 0.0215), mix(iris, _INK, 0.1), to=mix(iris, (0.9, 0.7, 0.4), 0.35), inside=mask)
    figure.fill(oval(cx, 0.392, 0.0115, 0.0115), (0.03, 0.02, 0.02), inside=mask)
    figure.fill(side([(0.355, 0.38), (0.41, 0.36), (0.465, 0.385), (0.462, 0.394), (0.41, 0.379), (0.36, 0.392)]), _INK,
                blur=0.004, alpha=0.5, inside=mask)  # fmt: skip
    figure.fill(oval(cx - 0.008, 0.384, 0.0062, 0.0062, steps=32), _WHITE, inside=mask)
    figure.fill(oval(cx + 0.009, 0.403, 0.003, 0.003, steps=32), _WHITE, alpha=0.6, inside=mask)
    figure.fill(side([(0.350, 0.392), (0.378, 0.370), (0.411, 0.361), (0.443, 0.374), (0.461, 0.404), (0.442, 0.385),
                      (0.411, 0.3725), (0.381, 0.3795), (0.360, 0.399)]), _INK, blur=0.0008)  # fmt: skip
    low = figure.at(smooth(side([(0.362, 0.402), (0.384, 0.415), (0.411, 0.420), (0.440, 0.415)]), closed=False))
    figure.canvas.line(low, figure.deep, figure.size * 0.003, alpha=0.55)
    fold = figure.at(smooth(side([(0.358, 0.372), (0.383, 0.352), (0.412, 0.346), (0.446, 0.360)]), closed=False))
    figure.canvas.line(fold, figure.deep, figure.size * 0.0035, alpha=0.6)
    brow = mix(figure.looks.hair, _INK, 0.45)
    figure.fill(side([(0.340, 0.338), (0.368, 0.314), (0.408, 0.305), (0.456, 0.317), (0.454, 0.332), (0.408, 0.3215),
                      (0.370, 0.327)]), brow, blur=0.0016, alpha=0.92)  # fmt: skip


def _draw_nose(figure: _Figure) -> None:
    figure.fill([(0.520, 0.355), (0.530, 0.42), (0.540, 0.478), (0.528, 0.500), (0.517, 0.46), (0.514, 0.40)],
                figure.shade, blur=0.008, alpha=0.50)  # fmt: skip
    figure.fill([(0.470, 0.36), (0.478, 0.39), (0.476, 0.42), (0.462, 0.39)], figure.shade, blur=0.008, alpha=0.40)
    figure.fill([(0.493, 0.35), (0.504, 0.35), (0.506, 0.46), (0.492, 0.46)], figure.light, blur=0.006, alpha=0.65)
    figure.fill(oval(0.497, 0.478, 0.013, 0.010), figure.light, blur=0.005, alpha=0.75)
    figure.fill([(0.457, 0.499), (0.478, 0.507), (0.5, 0.513), (0.522, 0.507), (0.543, 0.499), (0.526, 0.519),
                 (0.5, 0.523), (0.474, 0.519)], figure.shade, blur=0.005, alpha=0.75)  # fmt: skip
    for hole in figure.both(oval(0.480, 0.505, 0.0095, 0.0042, -12)):
        figure.fill(hole, figure.deep, blur=0.0018, alpha=0.85)


def _draw_mouth(figure: _Figure) -> None:
    lip = mix(figure.looks.skin, (0.74, 0.16, 0.20), 0.62)
    dark = mix(lip, (0.28, 0.03, 0.07), 0.6)
    figure.fill([(0.425, 0.5755), (0.46, 0.5665), (0.486, 0.5595), (0.5, 0.5635), (0.514, 0.5595), (0.54, 0.5665),
                 (0.575, 0.5755), (0.54, 0.581), (0.5, 0.583), (0.46, 0.581)], mix(lip, dark, 0.28), blur=0.001)  # fmt: skip
    figure.fill([(0.430, 0.577), (0.46, 0.581), (0.5, 0.583), (0.54, 0.581), (0.570, 0.577), (0.545, 0.600),
                 (0.5, 0.609), (0.455, 0.600)], lip, blur=0.001)  # fmt: skip
    figure.fill(oval(0.497, 0.594, 0.026, 0.0062), mix(lip, _WHITE, 0.6), blur=0.004, alpha=0.65)
    seam: list[Point] = [(0.420, 0.573), (0.435, 0.5775), (0.465, 0.581), (0.5, 0.583), (0.535, 0.581),
                         (0.565, 0.5775), (0.580, 0.573)]  # fmt: skip
    figure.canvas.line(figure.curve(seam, closed=False), dark, max(figure.size * 0.0042, 1.0), alpha=0.9)
    for corner in figure.both(oval(0.420, 0.572, 0.007, 0.006)):
        figure.fill(corner, dark, blur=0.004, alpha=0.45)
    figure.fill(oval(0.5, 0.618, 0.042, 0.007), figure.shade, blur=0.006, alpha=0.55)


def _draw_beard(figure: _Figure, face: Floats) -> None:
    colour = mix(figure.looks.hair, _INK, 0.15)
    figure.fill([(0.315, 0.43), (0.342, 0.50), (0.385, 0.555), (0.425, 0.548), (0.5, 0.536), (0.575, 0.548),
                 (0.615, 0.555), (0.658, 0.50), (0.685, 0.43), (0.69, 0.60), (0.60, 0.70), (0.5, 0.715), (0.40, 0.70),
                 (0.31, 0.60)], colour, blur=0.007, alpha=0.86, inside=face)  # fmt: skip
    _draw_mouth(figure)


def _draw_front_hair(figure: _Figure) -> None:
    hair = figure.looks.hair
    dark, shine = mix(hair, (0.0, 0.0, 0.02), 0.5), mix(hair, (1.0, 0.86, 0.66), 0.40)
    if figure.looks.style == "short":
        top: list[Point] = [(0.302, 0.36), (0.288, 0.26), (0.325, 0.145), (0.42, 0.075), (0.545, 0.062), (0.655, 0.115),
                            (0.708, 0.23), (0.698, 0.36), (0.682, 0.285), (0.645, 0.225), (0.56, 0.205), (0.46, 0.222),
                            (0.375, 0.208), (0.332, 0.268)]  # fmt: skip
    else:
        top = [(0.296, 0.56), (0.262, 0.36), (0.290, 0.20), (0.375, 0.105), (0.5, 0.078), (0.625, 0.105), (0.710, 0.20),
               (0.738, 0.36), (0.704, 0.56), (0.692, 0.36), (0.655, 0.268), (0.580, 0.205), (0.465, 0.172),
               (0.405, 0.232), (0.342, 0.292), (0.312, 0.36)]  # fmt: skip
    figure.fill(top, hair, to=mix(hair, dark, 0.5), blur=0.0012)
    mask = figure.canvas.mask(figure.curve(top))
    rng = np.random.default_rng(7)
    for i in range(34):
        a = i / 33
        sway = float(rng.normal(0, 0.006))
        strand: list[Point] = [(0.465 + sway, 0.085 + abs(sway)), (0.5 + (a - 0.5) * 0.30 + sway, 0.125),
                               (0.5 + (a - 0.5) * 0.44, 0.24), (0.5 + (a - 0.5) * 0.47 + sway, 0.44)]  # fmt: skip
        tone = shine if i % 3 == 0 else dark
        path = figure.curve(strand, closed=False)
        thick = [(px + figure.size * 0.004, py) for px, py in path[::-1]]
        figure.canvas.shape(path + thick, tone, blur=figure.size * 0.0016, alpha=0.30, inside=mask)
    figure.fill([(0.335, 0.20), (0.42, 0.125), (0.53, 0.112), (0.50, 0.142), (0.42, 0.165), (0.35, 0.235)], shine,
                blur=0.013, alpha=0.50, inside=mask)  # fmt: skip
    if figure.looks.style == "long":
        for lock in figure.both([(0.290, 0.30), (0.262, 0.42), (0.240, 0.58), (0.232, 0.74), (0.272, 0.83), (0.335, 0.84),
                                 (0.312, 0.72), (0.302, 0.60), (0.318, 0.47)]):  # fmt: skip
            figure.fill(lock, hair, to=dark, blur=0.0012)
            mask = figure.canvas.mask(figure.curve(lock))
            side = 1 if lock[0][0] < 0.5 else -1
            for k in range(6):
                shift = side * 0.012 * k
                strand = [
                    (lock[1][0] + shift, 0.40),
                    (lock[2][0] + shift * 1.2, 0.58),
                    (lock[4][0] + shift * 0.8, 0.84),
                ]
                path = figure.curve(strand, closed=False)
                thick = [(px + figure.size * 0.004, py) for px, py in path[::-1]]
                figure.canvas.shape(
                    path + thick, shine if k % 2 else dark, blur=figure.size * 0.0016, alpha=0.30, inside=mask
                )
