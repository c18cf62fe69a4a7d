"""How large a piece of work is, known before its start: what its price and its time depend on."""

from collections.abc import Mapping
from typing import Any

from hortus import routing


def input_tokens(prompt: str, asked: Mapping[str, Any]) -> int:
    """Tokens of everything the model reads, estimated: the conversation or the prompt, and the instructions."""
    said = [each["content"] for each in asked.get("messages") or ()] or [prompt]
    return sum(routing.estimate_tokens(each) for each in (*said, asked.get("system") or ""))
