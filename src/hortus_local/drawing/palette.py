"""Colour palettes by mood and by requested colour."""

import re
from dataclasses import dataclass, fields

from PIL import ImageColor

from hortus_local.drawing.colour import Colour, mix


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a scene: the sky from top to horizon, its light, the land from far to near, and two accents."""

    top: Colour
    mid: Colour
    low: Colour
    sun: Colour
    far: Colour
    near: Colour
    leaf: Colour
    accent: Colour
    second: Colour


MOODS: dict[str, Palette] = {
    "day": Palette((0.20, 0.47, 0.78), (0.52, 0.76, 0.92), (0.94, 0.94, 0.87), (1.0, 0.97, 0.84), (0.56, 0.70, 0.79),
                   (0.13, 0.30, 0.20), (0.34, 0.52, 0.24), (0.93, 0.48, 0.32), (0.98, 0.80, 0.36)),
    "sunset": Palette((0.19, 0.16, 0.38), (0.79, 0.36, 0.42), (1.0, 0.75, 0.43), (1.0, 0.92, 0.66), (0.66, 0.38, 0.46),
                      (0.12, 0.08, 0.17), (0.28, 0.20, 0.22), (0.98, 0.52, 0.26), (1.0, 0.80, 0.45)),
    "dawn": Palette((0.36, 0.46, 0.70), (0.83, 0.68, 0.76), (1.0, 0.90, 0.77), (1.0, 0.96, 0.84), (0.66, 0.63, 0.76),
                    (0.18, 0.24, 0.31), (0.34, 0.44, 0.38), (0.94, 0.60, 0.55), (0.99, 0.84, 0.62)),
    "night": Palette((0.02, 0.04, 0.12), (0.06, 0.12, 0.29), (0.20, 0.27, 0.47), (0.95, 0.95, 0.88), (0.13, 0.19, 0.35),
                     (0.015, 0.03, 0.08), (0.07, 0.13, 0.18), (1.0, 0.80, 0.45), (0.55, 0.75, 0.95)),
    "storm": Palette((0.20, 0.24, 0.30), (0.40, 0.46, 0.52), (0.70, 0.73, 0.73), (0.92, 0.92, 0.86), (0.42, 0.49, 0.55),
                     (0.10, 0.14, 0.17), (0.20, 0.29, 0.27), (0.80, 0.62, 0.36), (0.60, 0.72, 0.80)),
    "winter": Palette((0.46, 0.60, 0.78), (0.74, 0.83, 0.92), (0.97, 0.94, 0.93), (1.0, 0.97, 0.92), (0.72, 0.80, 0.90),
                      (0.24, 0.33, 0.44), (0.30, 0.42, 0.46), (0.80, 0.34, 0.34), (0.95, 0.82, 0.60)),
    "autumn": Palette((0.42, 0.56, 0.70), (0.82, 0.80, 0.74), (0.99, 0.88, 0.68), (1.0, 0.93, 0.72), (0.72, 0.60, 0.52),
                      (0.28, 0.15, 0.09), (0.75, 0.37, 0.12), (0.86, 0.30, 0.13), (0.95, 0.66, 0.20)),
    "spring": Palette((0.42, 0.68, 0.88), (0.73, 0.87, 0.93), (0.99, 0.95, 0.92), (1.0, 0.98, 0.88), (0.66, 0.78, 0.78),
                      (0.20, 0.40, 0.22), (0.46, 0.66, 0.30), (0.95, 0.56, 0.68), (1.0, 0.86, 0.48)),
    "desert": Palette((0.24, 0.52, 0.70), (0.66, 0.80, 0.80), (1.0, 0.90, 0.70), (1.0, 0.97, 0.82), (0.87, 0.66, 0.48),
                      (0.55, 0.27, 0.14), (0.45, 0.45, 0.22), (0.90, 0.45, 0.20), (0.98, 0.78, 0.42)),
}  # fmt: skip

_MOOD_WORDS = {
    "night": "night midnight moon moonlit moonlight star stars starry dark nocturnal galaxy neon cyberpunk",
    "sunset": "sunset dusk evening golden twilight romantic warm lava fire",
    "dawn": "dawn sunrise morning mist misty fog foggy dream dreamy pastel calm serene soft",
    "storm": "storm stormy rain rainy thunder moody dramatic gloomy grey gray cloudy lonely",
    "winter": "winter snow snowy ice icy frozen christmas cold arctic",
    "autumn": "autumn fall october harvest leaves pumpkin",
    "spring": "spring blossom bloom cherry sakura meadow garden fresh easter",
    "desert": "desert dune dunes sand sahara egypt pyramid camel canyon",
}
_BY_WORD = {word: mood for mood, words in _MOOD_WORDS.items() for word in words.split()}
_NAMED_COLOURS: dict[str, Colour] = {
    "warm": (0.95, 0.55, 0.25), "cool": (0.25, 0.55, 0.85), "cold": (0.30, 0.55, 0.80), "pastel": (0.95, 0.75, 0.80),
    "vibrant": (0.95, 0.25, 0.55), "earth": (0.55, 0.38, 0.22), "earthy": (0.55, 0.38, 0.22), "neon": (0.85, 0.15, 0.95),
    "monochrome": (0.5, 0.5, 0.5), "sepia": (0.60, 0.46, 0.30), "rose": (0.92, 0.45, 0.55), "emerald": (0.10, 0.60, 0.42),
}  # fmt: skip
_PLAIN = "red orange yellow green teal turquoise blue purple violet pink brown gold silver crimson lavender magenta cyan navy"


def choose_palette(words: list[str], color: str | None) -> Palette:
    """The palette of a prompt's mood, drawn towards the requested colour or one the prompt names."""
    mood = next((_BY_WORD[word] for word in words if word in _BY_WORD), "day")
    palette = MOODS[mood]
    colour = read_colour(color)
    if colour is not None:
        return _tint(palette, colour, 0.72)
    named = [word for word in words if word in _PLAIN.split()]
    if named and (colour := read_colour(named[0])) is not None:
        return _tint(palette, colour, 0.38)
    return palette


def read_colour(name: str | None) -> Colour | None:
    """A colour by CSS name, by #hex, by a few words of mood, or the first such word in a phrase."""
    for part in re.findall(r"#[0-9a-fA-F]{3,8}|[a-z]+", (name or "").lower()):
        if part in _NAMED_COLOURS:
            return _NAMED_COLOURS[part]
        try:
            red, green, blue = ImageColor.getrgb(part)[:3]
        except ValueError:
            continue
        return (red / 255, green / 255, blue / 255)
    return None


def brightness(colour: Colour) -> float:
    """How bright the eye finds it, 0 to 1."""
    return 0.30 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


def at_brightness(colour: Colour, wanted: float) -> Colour:
    """The same hue, as bright as wanted."""
    now = brightness(colour)
    if now >= wanted:
        return mix((0.0, 0.0, 0.0), colour, wanted / max(now, 1e-3))
    return mix(colour, (1.0, 1.0, 1.0), (wanted - now) / max(1 - now, 1e-3))


def _tint(palette: Palette, colour: Colour, strength: float) -> Palette:
    changed = {}
    for field in fields(palette):
        own: Colour = getattr(palette, field.name)
        share = strength * (0.35 if field.name in {"sun", "second"} else 1.0)
        changed[field.name] = mix(own, at_brightness(colour, brightness(own)), share)
    changed["accent"] = mix(changed["accent"], colour, 0.8)
    return Palette(**changed)
