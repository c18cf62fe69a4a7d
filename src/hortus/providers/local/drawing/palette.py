"""Colours and moods, found in the words of a prompt."""

import colorsys
from dataclasses import dataclass
from random import Random

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Palette:
    """Five colours from 0 to 1: sky above, sky at the horizon, far land, near land, accent."""

    high: Colour
    low: Colour
    far: Colour
    near: Colour
    accent: Colour
    night: bool = False


def _of(*hexes: str, night: bool = False) -> Palette:
    found = [(int(h[0:2], 16) / 255, int(h[2:4], 16) / 255, int(h[4:6], 16) / 255) for h in hexes]
    return Palette(*found, night=night)


MOODS: dict[str, Palette] = {
    "sunset sunrise dawn dusk evening golden": _of("3b4a7a", "f7b27a", "a4688a", "2b2140", "ffd9a0"),
    "night moon star midnight space galaxy neon": _of("070b22", "2a3a72", "22305e", "060814", "e8ecff", night=True),
    "storm rain fog mist grey gloomy": _of("5a6675", "b9c2c6", "7d8c95", "2b343a", "e6ecec"),
    "autumn fall harvest": _of("86a8b5", "f3dfb4", "c98a4b", "5a2f1d", "e8643c"),
    "winter snow ice arctic": _of("7fa6cf", "e9f1f7", "a9c3da", "43607d", "ffffff"),
    "desert sand dune sahara": _of("4f9ac4", "f6dfae", "e0a566", "a3542f", "fff2c9"),
    "spring flower garden meadow blossom": _of("6fb4dd", "eaf5e4", "9cc58a", "2f6b46", "f39ab5"),
    "sea ocean beach lake island water": _of("2f86c1", "d8eff2", "5aa6bf", "0f4a6b", "fff4d6"),
}
_DAYS = (
    _of("4d8fcb", "e4f0f1", "8fb3c0", "2c5a4b", "ffe7a6"),
    _of("3f7fb8", "f6e6cf", "a5a9c4", "36486b", "ffd48a"),
    _of("5fa7b8", "f1efdc", "93b39a", "2e4f45", "f5c26b"),
)
_HUES = {
    "red": 0.0, "orange": 0.07, "gold": 0.11, "yellow": 0.14, "green": 0.36, "teal": 0.48, "blue": 0.58,
    "indigo": 0.67, "purple": 0.76, "violet": 0.76, "pink": 0.92, "magenta": 0.87, "brown": 0.06,
}  # fmt: skip


def choose_palette(words: str, color: str | None, random: Random) -> Palette:
    """The palette of a mood named in the words, turned towards `color` when one is given."""
    base = next((palette for names, palette in MOODS.items() if any(n in words for n in names.split())), None)
    palette = base or random.choice(_DAYS)
    wish = (color or "").lower()
    if any(name in wish for name in ("mono", "black", "white", "grey", "gray")):
        return _turn(palette, None)
    hue = next((value for name, value in _HUES.items() if name in wish), None)
    if hue is None and wish.startswith("#") and len(wish) == 7:
        try:
            parts = [int(wish[i : i + 2], 16) / 255 for i in (1, 3, 5)]
            hue = colorsys.rgb_to_hls(*parts)[0]
        except ValueError:
            hue = None
    if hue is not None:
        return _turn(palette, hue)
    if "pastel" in wish or "warm" in wish:
        return MOODS["sunset sunrise dawn dusk evening golden"]
    return palette


def _turn(palette: Palette, hue: float | None) -> Palette:
    def one(colour: Colour, shift: float) -> Colour:
        _, light, strong = colorsys.rgb_to_hls(*colour)
        if hue is None:
            return (light, light, light)
        return colorsys.hls_to_rgb((hue + shift) % 1.0, light, max(strong, 0.35) * 0.9)

    return Palette(
        one(palette.high, 0.02),
        one(palette.low, -0.03),
        one(palette.far, 0.0),
        one(palette.near, 0.04),
        one(palette.accent, 0.5 if hue is not None else 0.0),
        night=palette.night,
    )
