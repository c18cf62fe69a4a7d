"""Text without a model: templates and extraction, honestly labelled as a sketch."""

import ast
import operator
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hortus.core import clock
from hortus.providers.base import ChatMessage

NOTE = "(A sketch, written on this machine by templates and extraction, without a language model.)"
LOOKED_AT = 8_000
_STOP = frozenset(
    [
        "the",
        "a",
        "an",
        "and",
        "or",
        "but",
        "if",
        "of",
        "to",
        "in",
        "on",
        "for",
        "with",
        "at",
        "by",
        "from",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "it",
        "its",
        "this",
        "that",
        "these",
        "those",
        "as",
        "not",
        "i",
        "you",
        "he",
        "she",
        "we",
        "they",
        "my",
        "your",
        "our",
        "their",
        "me",
        "us",
        "them",
        "do",
        "does",
        "did",
        "have",
        "has",
        "had",
        "will",
        "would",
        "can",
        "could",
        "should",
        "may",
        "what",
        "which",
        "who",
        "how",
        "when",
        "where",
        "why",
        "about",
        "into",
        "over",
        "after",
        "before",
        "more",
        "most",
        "some",
        "any",
        "all",
        "no",
        "so",
        "than",
        "then",
        "there",
        "here",
        "write",
        "make",
        "create",
        "give",
        "tell",
        "please",
        "short",
        "long",
        "list",
        "ideas",
    ]
)


@dataclass(frozen=True, slots=True)
class Draft:
    """The text in word-sized pieces; `cut` when the limit ended it."""

    pieces: tuple[str, ...]
    cut: bool


def count_tokens(text: str) -> int:
    """A guess at the tokens of a text: one for four bytes, at least one."""
    return max(1, len(text.encode("utf-8", "replace")) // 4)


def write(messages: Sequence[ChatMessage], system: str | None, max_tokens: int) -> Draft:
    """Answer the last message in the light of those before it; the same input gives the same text."""
    said = [ChatMessage(message.role, message.content[:LOOKED_AT], message.images) for message in messages]
    prompt = said[-1].content if said else ""
    text = f"{_answer(prompt, said[:-1])}\n\n{NOTE}"
    pieces = re.findall(r"\S+\s*|\s+", text)
    kept: list[str] = []
    used = 0
    for piece in pieces:
        used += count_tokens(piece)
        if used > max_tokens and kept:
            return Draft(tuple(kept), cut=True)
        kept.append(piece)
    return Draft(tuple(kept), cut=False)


def _answer(prompt: str, before: Sequence[ChatMessage]) -> str:
    for answer in (_calculate, _remember, _greet, _today, _count_words, _translate, _summarise):
        found = answer(prompt, before)
        if found:
            return found
    for pattern, draft in _FORMS:
        if re.search(pattern, prompt, re.IGNORECASE):
            return draft(_Subject(prompt))
    return _discuss(prompt, before)


class _Subject:
    """What a prompt is about, with a generator of its own so that the same prompt gives the same text."""

    def __init__(self, prompt: str) -> None:
        self.words = keywords(prompt)
        about = re.search(r"\b(?:about|for|on|of)\s+(.{3,120}?)(?:[.!?\n]|$)", prompt, re.IGNORECASE)
        self.name = (about.group(1) if about else " ".join(self.words[:4]) or prompt[:60]).strip(" \"'")
        self.random = random.Random(prompt)  # noqa: S311 - variety, not secrecy

    def pick(self, *choices: str) -> str:
        """One of them."""
        return self.random.choice(choices)


def keywords(text: str, most: int = 8) -> list[str]:
    """The words a text is about, most telling first."""
    words = [word for word in re.findall(r"[^\W\d_][\w'-]{2,}", text.lower()) if word not in _STOP]
    return [word for word, _ in Counter(words).most_common(most)]


# What can be answered for certain --------------------------------------------

_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
}


def _calculate(prompt: str, _before: Sequence[ChatMessage]) -> str | None:
    # Only the first line: the pattern backtracks, and sums are short.
    found = re.search(r"(?<![\w.])[-(]*\d[\d\s.,()+\-*/×÷x]*[+\-*/×÷x][\d\s.()+\-*/×÷x]*\d\)*", prompt[:120])
    if not found or len(found.group()) > 60:
        return None
    sum_ = re.sub(r"(?<=\d),(?=\d{3})", "", found.group()).replace("×", "*").replace("x", "*").replace("÷", "/")
    try:
        value = _evaluate(ast.parse(sum_.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return f"{found.group().strip()} = {value:,.10g}"


def _evaluate(node: ast.AST) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_evaluate(node.left), _evaluate(node.right))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_evaluate(node.operand))
    raise ValueError("not a sum")


_FACTS = (
    (r"\bmy name is ([\w' -]{2,40}?)(?:[.,!?]|\band\b|$)", r"what(?:'s| is) my name|who am i", "Your name is {}."),
    (r"\bi live in ([\w' -]{2,40}?)(?:[.,!?]|\band\b|$)", r"where do i live", "You live in {}."),
    (
        r"\bi work (?:as|in|at) ([\w' -]{2,40}?)(?:[.,!?]|\band\b|$)",
        r"where do i work|what do i do",
        "You told me: {}.",
    ),
    (r"\bmy favou?rite \w+ is ([\w' -]{2,40}?)(?:[.,!?]|\band\b|$)", r"my favou?rite", "You said it is {}."),
)


def _remember(prompt: str, before: Sequence[ChatMessage]) -> str | None:
    for fact, question, reply in _FACTS:
        if not re.search(question, prompt, re.IGNORECASE):
            continue
        for message in reversed(before):
            told = re.search(fact, message.content, re.IGNORECASE)
            if message.role == "user" and told:
                return reply.format(told.group(1).strip())
        if "favo" not in question or "?" in prompt:
            return "You have not told me yet."
    if re.search(r"what did i (?:just )?(?:say|ask)|my (?:first|last) (?:message|question)", prompt, re.IGNORECASE):
        asked = [message.content for message in before if message.role == "user"]
        if asked:
            return f"You wrote: “{asked[0 if 'first' in prompt else -1][:300]}”"
    return None


def _greet(prompt: str, _before: Sequence[ChatMessage]) -> str | None:
    name = re.search(r"\bmy name is ([\w'-]{2,40})", prompt, re.IGNORECASE)
    if name:
        return f"Nice to meet you, {name.group(1)}. I will remember that for this conversation. What shall we work on?"
    if re.fullmatch(r"\W*(hi|hello|hey|namaste|नमस्ते|good (morning|evening|afternoon))\b.{0,30}", prompt, re.IGNORECASE):
        return "Hello! I can draft, summarise, list and calculate here. What would you like to start with?"
    if re.fullmatch(r"\W*(thanks|thank you|धन्यवाद)\b.{0,30}", prompt, re.IGNORECASE):
        return "You are welcome."
    return None


def _today(prompt: str, _before: Sequence[ChatMessage]) -> str | None:
    if re.search(r"\b(what|which)\b.{0,20}\b(date|day|time)\b.{0,15}(today|now|it)?\s*\?", prompt, re.IGNORECASE):
        return f"It is {clock.now():%A, %d %B %Y, %H:%M} UTC."
    return None


def _count_words(prompt: str, _before: Sequence[ChatMessage]) -> str | None:
    found = re.search(r"(?:how many|count the) words[^:]*:\s*(.+)", prompt, re.IGNORECASE | re.DOTALL)
    return f"{len(found.group(1).split())} words." if found else None


def _translate(prompt: str, _before: Sequence[ChatMessage]) -> str | None:
    if re.match(r"\W*translate\b", prompt, re.IGNORECASE):
        return "I cannot translate without a language model. Ask the operator to configure one."
    return None


def _summarise(prompt: str, before: Sequence[ChatMessage]) -> str | None:
    if not re.search(r"\b(summari[sz]e|summary|tl;?dr|key points|shorten)\b", prompt, re.IGNORECASE):
        return None
    body = max((prompt.partition(":")[2], prompt.partition("\n")[2], *(m.content for m in before[-4:])), key=len)
    sentences = [part.strip() for part in re.split(r"(?<=[.!?।])\s+|\n+", body) if len(part.strip()) > 20]
    if len(sentences) < 2:
        return None
    weights = Counter(word for word in re.findall(r"\w{4,}", body.lower()) if word not in _STOP)

    def worth(sentence: str) -> float:
        words = re.findall(r"\w{4,}", sentence.lower())
        return sum(weights[word] for word in words) / (len(words) + 4)

    best = sorted(sentences, key=worth, reverse=True)[: max(2, len(sentences) // 4)]
    return "In short:\n" + "\n".join(f"- {sentence}" for sentence in sentences if sentence in best)


# What can be drafted ---------------------------------------------------------


def _tagline(about: _Subject) -> str:
    name = about.name
    lines = [
        f"{name.capitalize()}: {about.pick('made with care', 'simply better', 'as it should be')}.",
        f"Less effort. More {about.words[0] if about.words else name}.",
        f"{about.pick('Meet', 'Discover', 'Say hello to')} {name}.",
        f"Because {name} {about.pick('matters', 'deserves better', 'is worth it')}.",
        f"{name.capitalize()}, {about.pick('every day', 'without the fuss', 'your way')}.",
    ]
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))


def _ideas(about: _Subject) -> str:
    angles = [
        ("Start small", f"try {about.name} with five people and write down what surprises them"),
        ("Show, do not tell", f"a one-minute video that shows {about.name} being used"),
        ("Compare", f"a side by side of {about.name} and the usual way"),
        ("Teach", f"a three-step guide: the first thing anyone should know about {about.name}"),
        ("Ask", f"one open question about {about.name}, answered in public"),
        ("Celebrate", f"a story of somebody for whom {about.name} made a difference"),
        ("Simplify", f"the smallest useful version of {about.name}, and nothing else"),
    ]
    about.random.shuffle(angles)
    lines = [f"{number}. {title}: {text}." for number, (title, text) in enumerate(angles[:5], 1)]
    return f"Ideas on {about.name}:\n" + "\n".join(lines)


def _letter(about: _Subject) -> str:
    return (
        f"Subject: {about.name.capitalize()}\n\nHello,\n\n"
        f"I am writing about {about.name}. {about.pick('In short', 'To come to the point')}: it would help us both to "
        f"settle the next step soon.\n\nCould you tell me by the end of the week whether this suits you? If anything "
        f"is unclear, I am glad to explain it in a short call.\n\n{about.pick('Kind regards', 'With best wishes')},\n[Your name]"
    )


def _poem(about: _Subject) -> str:
    word = about.words[0] if about.words else about.name
    other = about.words[1] if len(about.words) > 1 else "morning"
    return (
        f"{about.pick('Soft', 'Slow', 'Clear')} light on {word},\n"
        f"{about.pick('a quiet step, a breath held', 'the day leans in to listen')};\n"
        f"{other} {about.pick('remembers', 'answers', 'begins again')}."
    )


def _description(about: _Subject) -> str:
    traits = about.words[1:4] or ["simple", "lasting", "clear"]
    return (
        f"{about.name.capitalize()} is for people who want {traits[0]} without compromise. "
        f"It brings together {', '.join(traits)} in one thoughtful whole, easy to start with and hard to give up. "
        f"{about.pick('Try it once', 'Give it a week')}, and see what changes."
    )


def _story(about: _Subject) -> str:
    return (
        f"Nobody in the street had expected {about.name}. It arrived on a {about.pick('grey', 'bright', 'windy')} morning, "
        f"between the post and the first bus, and by noon everyone had an opinion.\n\n"
        f"“It will not last,” said the baker. “It never does.” But the children {about.pick('stayed', 'kept watching')}, "
        f"and in the evening, when the lamps came on, even the baker stood at the window.\n\n"
        f"What they saw was small, and it was enough: {about.name}, and a street that had learned to look."
    )


_FORMS: tuple[tuple[str, Callable[[_Subject], str]], ...] = (
    (r"\b(tagline|slogan|headline|title)s?\b", _tagline),
    (r"\b(ideas?|brainstorm|suggest|list)\b", _ideas),
    (r"\b(e-?mail|letter)\b", _letter),
    (r"\b(poem|haiku|verse)\b", _poem),
    (r"\b(product|description|describe|advert|copy)\b", _description),
    (r"\b(story|tale)\b", _story),
)


def _discuss(prompt: str, before: Sequence[ChatMessage]) -> str:
    words = keywords(prompt, 4)
    if not words:
        return "Tell me a little more: what is it about, who is it for, and how long should it be?"
    earlier = set(keywords(" ".join(message.content for message in before if message.role == "user"), 12))
    shared = [word for word in words if word in earlier]
    opening = f"Going on with {', '.join(shared)}: " if shared else ""
    main = ", ".join(words)
    return (
        f"{opening}You ask about {main}. Three things to settle first:\n"
        f"1. What should be different afterwards? Put it in one sentence.\n"
        f"2. What do you know about {words[0]} already, and what is a guess?\n"
        f"3. What is the smallest step on {words[-1]} that you could take today?\n"
        "I can turn your answers into a list, an e-mail, a summary or a short text."
    )
