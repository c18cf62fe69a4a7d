"""Subtitles: words drawn on the frame while they are spoken."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import fontpkg_noto_sans
import fontpkg_noto_sans_devanagari
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from hortus_local.images import Pixels
from hortus_local.speech import Word

_NOTHING = "\U000ffffe"
"""A character that no font has, drawn as the box for missing characters."""
_STOPS = (".", "!", "?", "।", "…", ";", ":")
_LIT = (255, 214, 102, 255)
_PLAIN = (255, 255, 255, 255)


@lru_cache(maxsize=32)
def font(size: int, weight: int = 600, *, devanagari: bool = False) -> ImageFont.FreeTypeFont:
    """Noto Sans of that size in pixels; it has the rupee sign."""
    package = fontpkg_noto_sans_devanagari if devanagari else fontpkg_noto_sans
    name = "NotoSansDevanagari[wdth,wght].ttf" if devanagari else "NotoSans[wdth,wght].ttf"
    made = ImageFont.truetype(str(Path(package.ROOT) / "files" / name), size)
    made.set_variation_by_axes([weight, 100])
    return made


def font_for(text: str, size: int, weight: int = 600) -> ImageFont.FreeTypeFont:
    """The font that shapes this text well."""
    return font(size, weight, devanagari=any("\u0900" <= c <= "\u097f" for c in text))


@lru_cache(maxsize=4096)
def _has(character: str) -> bool:
    if not character.isprintable() or character.isspace():
        return True
    plain = font(24)
    return bytes(plain.getmask(character)) != bytes(plain.getmask(_NOTHING))


def can_write(text: str) -> bool:
    """Whether nearly all of the text can be shown; else boxes would stand for letters."""
    letters = [c for c in text if not c.isspace()]
    return bool(letters) and sum(_has(c) for c in letters) >= 0.9 * len(letters)


def keep_known(text: str) -> str:
    """The text without characters that would show as boxes, such as emoji."""
    return "".join(c for c in text if _has(c)).strip()


class Subtitles:
    """Lines of a few words each, with the current word highlighted. `draw` paints them into a frame."""

    def __init__(self, words: tuple[Word, ...], width: int, height: int) -> None:
        self._width, self._height = width, height
        self._size = max(round(min(width * 0.052, height * 0.062)), 14)
        shown = tuple(Word(w.start, w.end, known) for w in words if (known := keep_known(w.text)))
        self._groups = self._group(shown) if can_write(" ".join(w.text for w in words)) else []
        self._drawn: dict[tuple[int, int], tuple[NDArray[Any], NDArray[Any], int, int]] = {}

    def draw(self, frame: Pixels, moment: float) -> None:
        """Draw the words spoken at `moment` seconds into the frame, in place."""
        current = None
        for g, group in enumerate(self._groups):
            if group[0].start - 0.05 <= moment < group[-1].end + 0.25:
                current = g
        if current is None:
            return
        group = self._groups[current]
        lit = max((i for i, word in enumerate(group) if word.start <= moment), default=0)
        if (current, lit) not in self._drawn:
            self._drawn[current, lit] = self._render(group, lit)
        keep, add, x, y = self._drawn[current, lit]
        part = frame[y : y + keep.shape[0], x : x + keep.shape[1]]
        part[:] = (part * keep + add).astype(np.uint8)

    def _group(self, words: tuple[Word, ...]) -> list[list[Word]]:
        """Lines that fit, cut at the ends of sentences first."""
        room = self._width * 0.84
        groups: list[list[Word]] = []
        for word in words:
            last = groups[-1] if groups else None
            if (
                last is None
                or last[-1].text.endswith(_STOPS)
                or word.start - last[-1].end > 0.8
                or self._measure(" ".join(w.text for w in [*last, word])) > room
                or len(last) >= 7
            ):
                groups.append([word])
            else:
                last.append(word)
        return groups

    def _measure(self, text: str) -> float:
        return font_for(text, self._size).getlength(text)

    def _render(self, group: list[Word], lit: int) -> tuple[NDArray[Any], NDArray[Any], int, int]:
        pad = self._size
        texts = [word.text for word in group]
        space = self._measure("n n") - self._measure("nn")
        widths = [self._measure(text) for text in texts]
        total = sum(widths) + space * (len(texts) - 1)
        size = self._size
        if total > self._width * 0.9:  # one very long word
            size = max(int(size * self._width * 0.9 / total), 8)
            widths = [w * size / self._size for w in widths]
            total = sum(widths) + space * (len(texts) - 1)
        box_w, box_h = min(int(total) + pad * 2, self._width), int(size * 1.5) + pad
        layer = Image.new("RGBA", (box_w, box_h), (0, 0, 0, 0))
        shade = Image.new("L", (box_w, box_h), 0)
        middle = box_h / 2
        spot = ImageDraw.Draw(shade)
        spot.rounded_rectangle(
            (pad * 0.35, pad * 0.3, box_w - pad * 0.35, box_h - pad * 0.3), radius=size * 0.5, fill=150
        )
        layer.putalpha(shade.filter(ImageFilter.GaussianBlur(1.2)))
        pen = ImageDraw.Draw(layer)
        rtl = any("\u0590" <= c <= "\u08ff" for c in "".join(texts))
        x = (box_w - total) / 2
        for i in reversed(range(len(texts))) if rtl else range(len(texts)):
            tone = _LIT if i == lit else _PLAIN
            pen.text((x, middle), texts[i], font=font_for(texts[i], size), fill=tone, anchor="lm")
            x += widths[i] + space
        rgba = np.asarray(layer).astype(np.float32)
        alpha = rgba[:, :, 3:] / 255
        return 1 - alpha, rgba[:, :, :3] * alpha, (self._width - box_w) // 2, int(self._height * 0.90 - box_h / 2)
