"""Better prompts: by a text model, or by rules where none is configured."""

import re

from hortus.generation.schemas import EnhanceOut

SYSTEM = (
    "You improve prompts for generative models of the kind: {kind}. Keep the user's intent and language, add what is "
    "missing (subject, setting, light, style, composition or structure, tone, length), stay under 120 words. "
    "Answer with the improved prompt alone, then on a last line 'WHY: ' and one sentence on what was added."
)

_ADDITIONS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "image": (
        (r"light|glow|sun|dawn|dusk|night|neon", "soft directional light", "light"),
        (r"close|wide|view|angle|portrait|composition", "balanced composition with a clear focal point", "composition"),
        (
            r"style|paint|photo|draw|render|sketch|watercolou?r",
            "finely detailed, natural textures",
            "texture and style",
        ),
        (r"colou?r|palette|tone|red|blue|green|gold", "a harmonious limited palette", "colour"),
    ),
    "video": (
        (r"camera|pan|zoom|shot|angle", "a slow, steady camera movement", "camera movement"),
        (r"light|sun|dawn|dusk|night", "warm cinematic light", "light"),
        (r"second|pace|slow|fast", "an unhurried pace with one clear action", "pace"),
    ),
    "text": (
        (r"word|sentence|paragraph|short|long|length", "about 150 words", "length"),
        (r"tone|formal|friendly|voice|style", "in a clear, friendly tone", "tone"),
        (r"list|step|bullet|table|format|paragraph", "in short paragraphs, the main point first", "structure"),
    ),
}


def enhance_by_rules(prompt: str, kind: str) -> EnhanceOut:
    """Add the missing aspects to a prompt, from a short list per kind."""
    missing = [
        (text, name) for pattern, text, name in _ADDITIONS[kind] if not re.search(pattern, prompt, re.IGNORECASE)
    ]
    if not missing:
        return EnhanceOut(prompt=prompt, why="It covers every aspect already, so it was left unchanged.")
    better = ", ".join([prompt.rstrip(" .,;"), *(text for text, _ in missing)])
    return EnhanceOut(prompt=better, why=f"It did not mention {', '.join(name for _, name in missing)}.")


def split_answer(answer: str) -> EnhanceOut:
    """The prompt and the reason in a model's answer, in the requested format or not."""
    prompt, mark, why = answer.partition("WHY:")
    return EnhanceOut(
        prompt=prompt.strip().strip('"') or answer.strip(),
        why=why.strip() if mark else "The model gave no reason.",
    )
