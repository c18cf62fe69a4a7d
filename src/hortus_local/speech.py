"""Speech from text by espeak-ng, with the moment of every word and every sound.

Runs in the media worker only: espeak-ng is a C library under the GPL, with one voice per process.
"""

import ctypes
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from hortus_local.refusal import Refusal
from hortus_local.voices import FEMALE, MALE, names_of

MAX_SPEECH_S = 120.0
WORDS_PER_MINUTE = 160
MAX_SCRIPT = 6_000
"""Characters; about two minutes of speech have fewer."""

_RETRIEVAL, _PHONEMES_IPA, _DO_NOT_EXIT = 1, 0b11, 0x8000
_UTF8, _BY_CHARACTER, _END_PAUSE = 1, 1, 0x1000
_RATE, _PITCH = 1, 3
_END_OF_EVENTS, _WORD, _PHONEME = 0, 1, 7
_LONGEST_HOME = 140
"""Bytes; espeak-ng copies the path of its data into a short fixed buffer."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the script as written, with its start and end in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Sound:
    """One phoneme in IPA; an empty name is silence."""

    start: float
    name: str


@dataclass(frozen=True, slots=True)
class SpokenAudio:
    """Mono 16-bit samples with the times of words and phonemes."""

    samples: NDArray[np.int16]
    rate: int
    words: tuple[Word, ...]
    sounds: tuple[Sound, ...]

    @property
    def seconds(self) -> float:
        """The duration in seconds."""
        return len(self.samples) / self.rate

    def loudness(self, fps: int, frames: int) -> NDArray[np.float64]:
        """The loudness in each of `frames` frames, 0 to 1."""
        edges = (np.arange(frames + 1) * self.rate / fps).astype(int)
        levels = np.zeros(frames)
        for i in range(frames):
            part = self.samples[edges[i] : edges[i + 1]]
            if part.size:
                levels[i] = float(np.sqrt(np.mean(part.astype(np.float64) ** 2)))
        top = float(np.percentile(levels, 92)) or 1.0
        return np.clip(levels / top, 0.0, 1.0)


class _EventName(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventName),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class _Recording:
    """Samples and events that espeak-ng passes to the callback."""

    def __init__(self, rate: int, max_seconds: float) -> None:
        self.chunks: list[bytes] = []
        self.count = 0
        self.limit = int(rate * max_seconds)
        self.words: list[tuple[float, int]] = []
        self.sounds: list[Sound] = []

    def take(self, wave: Any, count: int, events: Any) -> int:
        """The callback of the library; a true answer stops it."""
        if wave and count > 0:
            self.chunks.append(ctypes.string_at(wave, count * 2))
            self.count += count
        i = 0
        while events[i].type != _END_OF_EVENTS:
            event = events[i]
            moment = event.audio_position / 1000
            if event.type == _WORD:
                self.words.append((moment, event.text_position - 1))
            elif event.type == _PHONEME:
                name = bytes(event.id.string).split(b"\0")[0].decode("utf-8", "ignore")
                self.sounds.append(Sound(moment, name.strip("_:ˈˌ ")))
            i += 1
        return int(self.count > self.limit)


def speak(
    script: str,
    language: str = "en",
    voice: str | None = None,
    max_s: float = MAX_SPEECH_S,
) -> SpokenAudio:
    """Speak the script. Refuses an unknown language as unsupported, a script longer than `max_s` as too long."""
    text = re.sub(r"[\s\x00-\x1f]+", " ", script).strip()
    if not re.search(r"\w", text):
        raise Refusal("rejected", "the script has no words", "bad_input")
    if len(text) > MAX_SCRIPT:
        raise Refusal("rejected", f"the script has {len(text)} characters", "too_long")
    library, rate = _open()
    _choose_voice(library, language, voice)
    library.espeak_SetParameter(_RATE, WORDS_PER_MINUTE, 0)
    recording = _Recording(rate, max_s)
    callback = _Callback(recording.take)
    library.espeak_SetSynthCallback(callback)
    data = text.encode("utf-8") + b"\0"
    library.espeak_Synth(data, len(data), 0, _BY_CHARACTER, 0, _UTF8 | _END_PAUSE, None, None)
    library.espeak_Synchronize()
    if recording.count > recording.limit:
        raise Refusal("rejected", f"the speech is longer than {max_s:.0f} s", "too_long")
    samples = np.frombuffer(b"".join(recording.chunks), dtype=np.int16)
    if samples.size < rate // 10:
        raise Refusal("unsupported", f"the script has no words that can be spoken in {language!r}")
    words = _cut_words(text, recording.words, samples.size / rate)
    return SpokenAudio(_trim(samples, rate), rate, words, tuple(recording.sounds))


def _open() -> tuple[ctypes.CDLL, int]:
    home = Path(espeakng_loader.get_data_path()).parent
    if len(bytes(home)) > _LONGEST_HOME:
        link = Path(tempfile.mkdtemp(prefix="speech")) / "e"
        link.symlink_to(home)
        home = link
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
        ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    rate = library.espeak_Initialize(_RETRIEVAL, 200, bytes(home / "espeak-ng-data"), _PHONEMES_IPA | _DO_NOT_EXIT)
    if rate <= 0:
        raise Refusal("unavailable", "espeak-ng did not start")
    return library, rate


def _choose_voice(library: ctypes.CDLL, language: str, voice: str | None) -> None:
    variant = _variant(voice)
    for name in names_of(language):
        if re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]{2,8}){0,3}", name):
            for ending in (variant, ""):
                if library.espeak_SetVoiceByName(f"{name}{ending}".encode()) == 0:
                    return
    raise Refusal("unsupported", f"there is no voice for language {language!r}")


def _variant(voice: str | None) -> str:
    """The colour of a voice by its name: our own names, those of espeak-ng, else the plain voice."""
    name = (voice or "").strip().lower()
    if name in FEMALE or (name.endswith("female") and name):
        return "+f3"
    if name in MALE or name.endswith("male"):
        return "+m3"
    return f"+{name}" if re.fullmatch(r"[a-z0-9]{2,20}", name) and _is_variant(name) else ""


def _is_variant(name: str) -> bool:
    return (Path(espeakng_loader.get_data_path()) / "voices" / "!v" / name).is_file()


def _cut_words(text: str, marks: list[tuple[float, int]], end: float) -> tuple[Word, ...]:
    """Give every word its punctuation, and join words that espeak-ng speaks in several (numbers, for example)."""
    starts: list[tuple[float, int]] = []
    for moment, position in marks:
        begin = text.rfind(" ", 0, position + 1) + 1
        if not starts or begin > starts[-1][1]:
            starts.append((moment, begin))
    words = []
    for i, (moment, position) in enumerate(starts):
        after = starts[i + 1] if i + 1 < len(starts) else (end, len(text))
        piece = text[0 if i == 0 else position : after[1]].strip()
        if piece:
            words.append(Word(moment, max(after[0], moment + 0.05), piece))
    return tuple(words)


def _trim(samples: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
    """Leave a breath of 0.35 s after the last audible sample."""
    audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > 150)
    last = int(audible[-1]) if audible.size else samples.size
    wanted = last + int(0.35 * rate)
    return samples[:wanted] if wanted < samples.size else np.pad(samples, (0, wanted - samples.size))
