"""How quickly a password would be guessed, and what would make it better. Needs no network."""

import re
import threading

from hortus.accounts.errors import WeakPassword

_JUDGED = 72
_WEAK_BELOW = 2
_ONE_AT_A_TIME = threading.Lock()  # zxcvbn keeps the words about the user in a module of its own
_LETTERLIKE = frozenset("!$%(+0123456789<@[{|")
_MOST_LETTERLIKE = 6
_FEWER_LETTERLIKE = str.maketrans("{[<|!@$+", "(((11457")
_ADVICE = "Use four or more uncommon words, or a password manager."


def check_strength(password: str, *known: str | None) -> None:
    """Raise WeakPassword for what is guessed quickly; `known` are words about the user.

    Takes up to a fifth of a second: on the event loop, use `NewPasswords` instead.
    """
    from zxcvbn import zxcvbn  # noqa: PLC0415 - its word lists take a while to load

    with _ONE_AT_A_TIME:
        found = zxcvbn(_judged(password), user_inputs=["hortus", *_words(known)])
    if found["score"] < _WEAK_BELOW:
        advice = [found["feedback"]["warning"], *found["feedback"]["suggestions"]]
        raise WeakPassword(feedback=[line for line in advice if line] or [_ADVICE], score=found["score"])


def _judged(password: str) -> str:
    """What zxcvbn is shown. It tries every reading of `4`, `@` or `(` as a letter with every other: eleven seconds
    of work for a password made of nothing else, so where there are many, one stands for all that read alike.
    """
    shown = password[:_JUDGED]
    return shown.translate(_FEWER_LETTERLIKE) if len(_LETTERLIKE & set(shown)) > _MOST_LETTERLIKE else shown


def _words(known: tuple[str | None, ...]) -> list[str]:
    found = [word for word in known if word]
    return found + [part for word in found for part in re.split(r"[\s@._+-]+", word) if len(part) > 2]
