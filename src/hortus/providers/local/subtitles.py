"""Subtitles: the words being said, a line at a time, the current word lit."""

import functools
import importlib.resources
import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

from hortus.providers.local.speech import Word

WORDS_A_LINE = 6
_DEVANAGARI = re.compile("[\u0900-\u097f]")


class Subtitles:
    """Draws the line that belongs to a moment; lines are drawn once and kept."""

    def __init__(self, words: tuple[Word, ...], width: int, height: int) -> None:
        self._width, self._height = width, height
        self._size = max(16, round(min(width, height) * 0.052))
        self._lines = _lines(words)
        self._drawn: dict[tuple[int, int], NDArray[np.uint8]] = {}

    def lay_on(self, frame: NDArray[np.uint8], moment: float) -> None:
        """Write the words of a moment (seconds) on a frame, if any are due."""
        for number, line in enumerate(self._lines):
            if line[0].start - 0.1 <= moment < line[-1].end + 0.35:
                lit = max((i for i, word in enumerate(line) if word.start <= moment), default=0)
                self._blend(frame, number, lit)
                return

    def _blend(self, frame: NDArray[np.uint8], number: int, lit: int) -> None:
        key = (number, lit)
        if key not in self._drawn:
            self._drawn[key] = self._draw(self._lines[number], lit)
        band = self._drawn[key]
        top = self._height - band.shape[0] - round(self._height * 0.035)
        area = frame[top : top + band.shape[0]]
        alpha = band[:, :, 3:].astype(np.uint16)
        area[:] = ((band[:, :, :3] * alpha + area * (255 - alpha)) // 255).astype(np.uint8)

    def _draw(self, line: list[Word], lit: int) -> NDArray[np.uint8]:
        size = self._size
        while True:
            fonts = [_font(word.text, size) for word in line]
            space = size * 0.30
            widths = [font.getlength(word.text) for font, word in zip(fonts, line, strict=True)]
            total = sum(widths) + space * (len(line) - 1)
            if total <= self._width * 0.92 or size <= 10:
                break
            size = max(10, round(size * 0.9))
        high = round(size * 1.75)
        image = Image.new("RGBA", (self._width, high), (0, 0, 0, 0))
        draw = ImageDraw.Draw(image)
        x = (self._width - total) / 2
        box = (x - size * 0.5, 0, x + total + size * 0.5, high - 1)
        draw.rounded_rectangle(box, radius=size * 0.4, fill=(10, 12, 20, 150))
        for i, (word, font, wide) in enumerate(zip(line, fonts, widths, strict=True)):
            fill = (255, 214, 120, 255) if i == lit else (255, 255, 255, 255)
            draw.text((x, high / 2), word.text, font=font, fill=fill, anchor="lm")
            x += wide + space
        return np.asarray(image)


def _lines(words: tuple[Word, ...]) -> list[list[Word]]:
    lines: list[list[Word]] = []
    line: list[Word] = []
    for word in words:
        line.append(word)
        if len(line) >= WORDS_A_LINE or (len(line) > 2 and word.text[-1:] in ".!?;:,।"):
            lines.append(line)
            line = []
    return [*lines, line] if line else lines


@functools.lru_cache(64)
def _sized(package: str, name: str, size: int) -> ImageFont.FreeTypeFont:
    path = importlib.resources.files(package) / "files" / name
    engine = ImageFont.Layout.RAQM if features.check("raqm") else ImageFont.Layout.BASIC
    font = ImageFont.truetype(str(path), size, layout_engine=engine)
    font.set_variation_by_axes([600, 100] if "wght" in name else [])
    return font


def _font(text: str, size: int) -> ImageFont.FreeTypeFont:
    """The font that has the letters of a word; both have the rupee sign."""
    package = "fontpkg_noto_sans_devanagari" if _DEVANAGARI.search(text) else "fontpkg_noto_sans"
    folder = importlib.resources.files(package) / "files"
    name = min(entry.name for entry in folder.iterdir() if entry.name.endswith(".ttf") and "Italic" not in entry.name)
    return _sized(package, name, size)
