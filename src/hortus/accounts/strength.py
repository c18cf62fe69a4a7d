"""How quickly a password would be guessed, and what would make it better. Needs no network."""

import re

from hortus.accounts.errors import WeakPassword

_JUDGED = 72
_WEAK_BELOW = 2
_LETTERLIKE = frozenset("!$%(+0123456789<@[{|")
_MOST_LETTERLIKE = 6
_FEWER_LETTERLIKE = str.maketrans("{[<|!@$+", "(((11457")
_ADVICE = "Use four or more uncommon words, or a password manager."


def check_strength(password: str, *known: str | None) -> None:
    """Raise WeakPassword for what is guessed quickly; `known` are words about the user.

    Takes some milliseconds, in which nothing else of this process runs.
    """
    from zxcvbn_rs_py import zxcvbn  # noqa: PLC0415 - its word lists take six megabytes

    found = zxcvbn(_judged(password), ["hortus", *_words(known)])
    score = int(found.score)
    if score < _WEAK_BELOW:
        advice = found.feedback
        lines = [advice.warning, *advice.suggestions] if advice is not None else []
        raise WeakPassword(feedback=[str(line) for line in lines if line is not None] or [_ADVICE], score=score)


def _judged(password: str) -> str:
    """What zxcvbn is shown. It tries every reading of `4`, `@` or `(` as a letter with every other: more than a second
    of work for a password made of nothing else, so where there are many, one stands for all that read alike.
    """
    shown = password[:_JUDGED]
    return shown.translate(_FEWER_LETTERLIKE) if len(_LETTERLIKE & set(shown)) > _MOST_LETTERLIKE else shown


def _words(known: tuple[str | None, ...]) -> list[str]:
    found = [word for word in known if word]
    return found + [part for word in found for part in re.split(r"[\s@._+-]+", word) if len(part) > 2]
