"""Sizes of requests, known before the start: price and time depend on them.

Quote, acceptance and retry use the same functions, so that the charged price is the quoted one.
"""

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from hortus import routing
from hortus.routing import Model, Size

SPOKEN_CHARACTERS_PER_SECOND = 15
WIDE_CHARACTERS_PER_SECOND = 5
"""Of Chinese, Japanese and Korean, whose characters are syllables or words."""
TEXT_VIDEO_SECONDS = 6
SHORTEST_VIDEO, LONGEST_VIDEO = 2, 60
UPSCALED_BY, LARGEST_SIDE = 2, 4096
CHAT_SYSTEM = "You are a helpful assistant. Answer in the language of the user, briefly unless asked for more."
CHAT_MAX_TOKENS = 1024


def text_size(prompt: str, system: str | None, max_tokens: int) -> Size:
    """Tokens of the input, estimated, plus the most the answer may have."""
    read = routing.estimate_tokens(prompt) + routing.estimate_tokens(system or "")
    return Size(tokens=read + max_tokens, answer_tokens=max_tokens)


@lru_cache(maxsize=512)
def image_size(width: int, height: int, count: int = 1) -> Size:
    """`count` images of so many pixels each."""
    return Size(images=count, pixels=width * height * count)


def edit_size(operation: str, width: int, height: int) -> Size:
    """The image that an edit of one of `width` x `height` pixels makes."""
    factor = min(UPSCALED_BY, max(1.0, LARGEST_SIDE / max(width, height, 1))) if operation == "image.upscale" else 1
    return image_size(round(width * factor), round(height * factor))


def video_size(script: str | None, duration_s: int | None) -> Size:
    """A talking photo lasts as long as its script is spoken, another video `duration_s`, 6 without it."""
    return Size(seconds=spoken_seconds(script) if script else duration_s or TEXT_VIDEO_SECONDS)


def spoken_seconds(script: str) -> int:
    """The seconds in which a script is spoken, rounded up."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in script)
    units = (len(script) - wide) * WIDE_CHARACTERS_PER_SECOND + wide * SPOKEN_CHARACTERS_PER_SECOND
    return max(1, -(-units // (SPOKEN_CHARACTERS_PER_SECOND * WIDE_CHARACTERS_PER_SECOND)))


def accepted_size(operation: str, prompt: str, params: Mapping[str, Any]) -> Size:
    """The size of a request that was accepted before."""
    kind, count = operation.partition(".")[0], int(params.get("count", 1))
    if operation == "image.generate":
        return image_size(params.get("width") or 1024, params.get("height") or 1024, count)
    if kind == "image":
        return edit_size(operation, params.get("width") or 1024, params.get("height") or 1024)
    if kind == "video":
        return video_size(params.get("script"), params.get("duration_s"))
    most = int(params.get("max_tokens", 1024))
    return Size(tokens=input_tokens(prompt, params) + most, answer_tokens=most)


def usual_size(model: Model) -> Size:
    """A typical request to a model, for tables that show one figure: an image, a short video, an answer."""
    operation = model.operations[0]
    return accepted_size(operation, "", {})


def input_tokens(prompt: str, params: Mapping[str, Any]) -> int:
    """Tokens of everything the model reads, estimated: the conversation or the prompt, and the instructions."""
    texts = [each["content"] for each in params.get("messages") or ()] or [prompt]
    return sum(routing.estimate_tokens(each) for each in (*texts, params.get("system") or ""))
