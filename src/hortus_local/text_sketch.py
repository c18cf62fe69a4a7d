"""Text and chat without a model, from templates and the words of the messages."""

import math
import re
from collections.abc import Iterator, Sequence

from hortus.providers import ChatMessage, Delta, Done, Event, TextRequest, Usage
from hortus_local.compose import compose, improve_prompt
from hortus_local.conversation import reply
from hortus_local.extract import MAX_READ

_CHARACTERS_PER_TOKEN = 4
_NOTE = "(A local sketch, made from templates: no AI model was asked.)"
_MOST_MESSAGES = 50


def write(request: TextRequest) -> Iterator[Event]:
    """The answer word by word, cut at `max_tokens`. The same request gets the same answer, but for today's date."""
    messages = request.messages[-_MOST_MESSAGES:]
    text = _answer(request, messages)
    room = max(request.max_tokens, 1) * _CHARACTERS_PER_TOKEN
    cut = len(text) > room
    text = text[:room].rstrip() if cut else text
    for piece in re.findall(r"\s*\S{1,24}|\s+", text):
        yield Delta(piece)
    read = sum(len(m.content) for m in request.messages) + len(request.system or "")
    yield Done(Usage(count_tokens(read), count_tokens(len(text))), "length" if cut else "stop")


def count_tokens(characters: int) -> int:
    """Tokens of so many characters, at four to one as vendors' tokenisers average in English."""
    return math.ceil(characters / _CHARACTERS_PER_TOKEN)


def _answer(request: TextRequest, messages: Sequence[ChatMessage]) -> str:
    prompt = messages[-1].content[:MAX_READ].strip()
    system = (request.system or "")[:MAX_READ]
    if _wants_better_prompt(system, prompt):
        return improve_prompt(prompt, system)
    if request.operation == "chat":
        answer = reply(messages)
        return answer if len(messages) > 1 else f"{answer}\n\n{_NOTE}"
    return f"{compose(prompt) or reply(messages)}\n\n{_NOTE}"


def _wants_better_prompt(system: str, prompt: str) -> bool:
    verbs = r"\b(?:improv|enhanc|rewrit|expand|refin|optimi[sz]|better|polish)\w*"
    if re.search(verbs + r"[^.]{0,80}\bprompts?\b|\bprompts?\b[^.]{0,80}" + verbs, system, re.IGNORECASE):
        return True
    return bool(
        re.match(
            r"(?:please |can you )?" + verbs[2:] + r"\s+(?:this |my |the |following )*(?:\w+ )?prompt\b",
            prompt,
            re.IGNORECASE,
        )
    )
