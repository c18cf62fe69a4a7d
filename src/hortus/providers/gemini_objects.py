"""Parts of Gemini's requests and responses: inline images, refusals, usage."""

import base64
from typing import Any

from hortus.providers.base import Media, ProviderError, Rejected, Unsupported, Usage
from hortus.providers.http_helpers import count, dig

_REFUSED = {
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
}


def put_inline(media: Media) -> dict[str, Any]:
    """A part of a message that holds the bytes themselves."""
    return {"inlineData": {"mimeType": media.mime_type, "data": base64.b64encode(media.data).decode()}}


def find_refusal(answer: Any) -> ProviderError | None:
    """The error for a blocked prompt or response; None when neither was blocked."""
    reason = dig(answer, "promptFeedback", "blockReason")
    if reason:
        return Rejected(f"the prompt was blocked: {str(reason)[:40]}", "policy")
    finish = dig(answer, "candidates", 0, "finishReason")
    if isinstance(finish, str) and finish in _REFUSED:
        return Rejected(f"the answer was blocked: {finish}", "policy")
    if finish == "LANGUAGE":
        return Unsupported("the model does not support this language")
    return None


def read_usage(answer: Any) -> Usage | None:
    """The usage in a complete response or a chunk, thinking included; None when it has none."""
    used = dig(answer, "usageMetadata")
    if not used:
        return None
    return Usage(
        input_tokens=count(count(dig(used, "promptTokenCount")) + count(dig(used, "toolUsePromptTokenCount"))),
        output_tokens=count(count(dig(used, "candidatesTokenCount")) + count(dig(used, "thoughtsTokenCount"))),
    )
