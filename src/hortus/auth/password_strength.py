"""Password strength: how quickly a password is guessed, and feedback to improve it. Needs no network."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from hortus.auth.errors import WeakPassword
from hortus.core.settings import Settings

PRODUCT = "Hortus"

_JUDGED = 72
_WEAK_BELOW = 2
_LETTERLIKE = frozenset("!$%(+0123456789<@[{|")
_MOST_LETTERLIKE = 6
_FEWER_LETTERLIKE = str.maketrans("{[<|!@$+", "(((11457")
_ADVICE = "Use four or more uncommon words, or a password manager."


_SHORTEST_NAME = 4
_SEPARATORS = re.compile(r"[\s._,-]+")
_NAMED = "Do not derive the password from the name of this service, or from your own name or address."
# Characters that look alike are folded to one letter, in passwords and in names.
_ALIKE = str.maketrans("01i!|345$@7+8", "olllleassatt" + "b")


def service_names(settings: Settings, *brands: str) -> list[str]:
    """The names of the product, the brand and the website, which must not be part of a password."""
    hosts = [urlsplit(url).hostname or "" for url in (settings.public_url, settings.frontend_base_url or "")]
    return [PRODUCT, *brands, *hosts]


def check_strength(password: str, *known: str | None, names: Iterable[str] = (PRODUCT,)) -> None:
    """Raise WeakPassword for a weak password; `known` are words about the user, `names` those of the service.

    If the password contains any of them in any spelling, the rest of it must be strong by itself. Takes some
    milliseconds of CPU time.
    """
    words = _words((*known, *names))
    score, feedback = _judge(password, words)
    if score < _WEAK_BELOW:
        raise WeakPassword(feedback=feedback or [_ADVICE], score=score)
    rest = _without(password, [*words, *("".join(word.split()) for word in words)])
    if rest == password:
        return
    rest = _SEPARATORS.sub("", rest)
    score = _judge(rest, words)[0] if rest else 0
    if score < _WEAK_BELOW:
        raise WeakPassword(feedback=[_NAMED, _ADVICE], score=score)


def _judge(password: str, words: Sequence[str]) -> tuple[int, list[str]]:
    from zxcvbn_rs_py import zxcvbn  # noqa: PLC0415 - its word lists take six megabytes

    found = zxcvbn(_judged(password), list(words))
    advice = found.feedback
    lines = [advice.warning, *advice.suggestions] if advice is not None else []
    return int(found.score), [str(line) for line in lines if line is not None]


def _without(password: str, words: Iterable[str]) -> str:
    """The password without those words, forwards and backwards, however they are spelt or broken up."""
    # One character for each, so that places in the one are places in the other.
    places = [place for place, character in enumerate(password) if character.isalnum() or character in "!|$@+"]
    folded = "".join(_folded(password[place]) for place in places)
    covered: set[int] = set()
    for word in {_folded(word) for word in words if len(word) >= _SHORTEST_NAME}:
        for form in (word, word[::-1]):
            start = folded.find(form)
            while start >= 0:
                covered.update(places[start : start + len(form)])
                start = folded.find(form, start + 1)
    return "".join(character for place, character in enumerate(password) if place not in covered)


def _folded(text: str) -> str:
    folded = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return folded.translate(_ALIKE)


def _judged(password: str) -> str:
    """The text for zxcvbn. It combines every reading of `4`, `@` or `(` as a letter, which takes over a second for a
    password of many such characters: one of them then stands for all that look alike.
    """
    shown = password[:_JUDGED]
    return shown.translate(_FEWER_LETTERLIKE) if len(_LETTERLIKE & set(shown)) > _MOST_LETTERLIKE else shown


def _words(known: tuple[str | None, ...]) -> list[str]:
    found = [word for word in dict.fromkeys(known) if word]
    return found + [part for word in found for part in re.split(r"[\s@._+-]+", word) if len(part) > 2]
