"""Reads the text of a PDF: just enough of the format for what our typesetter writes."""

import re
import zlib
from collections.abc import Iterator


def streams(pdf: bytes) -> list[bytes]:
    """Every stream of the file, unpacked."""
    found = []
    for raw in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            found.append(zlib.decompress(raw))
        except zlib.error:
            found.append(raw)
    return found


def objects(pdf: bytes) -> dict[int, bytes]:
    """Every object by its number, those in object streams too."""
    found = {int(number): body for number, body in re.findall(rb"(\d+) 0 obj(.*?)endobj", pdf, re.DOTALL)}
    for body in list(found.values()):
        if b"/ObjStm" in body:
            text = streams(body + b"\nendstream")[0] if b"stream" in body else b""
            first = int(re.search(rb"/First (\d+)", body)[1])  # type: ignore[index]
            numbers = [int(each) for each in text[:first].split()]
            places = [*numbers[1::2], len(text) - first]
            for index, number in enumerate(numbers[::2]):
                found[number] = text[first + places[index] : first + places[index + 1]]
    return found


def glyphs(pdf: bytes) -> dict[str, dict[int, str]]:
    """What each glyph of each font means, by the name the pages use for the font."""
    found = objects(pdf)
    meaning: dict[str, dict[int, str]] = {}
    for body in found.values():
        fonts = re.search(rb"/Font\s*<<(.*?)>>", body, re.DOTALL)
        for name, number in re.findall(rb"/(\w+) (\d+) 0 R", fonts[1]) if fonts else ():
            unicode = re.search(rb"/ToUnicode (\d+) 0 R", found[int(number)])
            table = streams(found[int(unicode[1])])[0].decode() if unicode else ""
            meaning[name.decode()] = {
                int(glyph, 16): bytes.fromhex(text).decode("utf-16-be")
                for glyph, text in re.findall(r"^<([0-9a-fA-F]+)> <([0-9a-fA-F]+)>$", table, re.MULTILINE)
            }
    return meaning


def text_of(pdf: bytes) -> str:
    """The text of all pages in the order it is drawn, without spaces: those are often only a distance."""
    fonts, said = glyphs(pdf), []
    for content in streams(pdf):
        if b" Tf" not in content:
            continue
        font: dict[int, str] = {}
        shown = re.sub(rb"/Span\s*<<.*?>>\s*BDC", b"", content, flags=re.DOTALL)
        for token in _tokens(shown):
            if token.startswith(b"/"):
                font = fonts.get(token[1:].decode(), {})
                continue
            raw = _plain(token)
            said += [font.get(int.from_bytes(raw[at : at + 2], "big"), "\ufffd") for at in range(0, len(raw), 2)]
    return "".join("".join(said).split())


def _tokens(content: bytes) -> Iterator[bytes]:
    """The fonts that are chosen, as `/f0`, and the strings between their outer parentheses, which may nest."""
    place = 0
    while found := re.compile(rb"/(\w+) [\d.]+ Tf|\(").search(content, place):
        place = found.end()
        if found[1]:
            yield b"/" + found[1]
            continue
        depth, start = 1, place
        while depth:
            letter = content[place : place + 1]
            place += 2 if letter == b"\\" else 1
            depth += {b"(": 1, b")": -1}.get(letter, 0)
        yield content[start : place - 1]


def _plain(raw: bytes) -> bytes:
    letters = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

    def one(found: re.Match[bytes]) -> bytes:
        said = found[1]
        return bytes([int(said, 8)]) if said[:1].isdigit() else letters.get(said, said)

    return re.sub(rb"\\([0-7]{1,3}|.)", one, raw, flags=re.DOTALL)
