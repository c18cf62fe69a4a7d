"""Text and chat by templates: useful within their limits, and honest about them."""

import subprocess
import sys
from pathlib import Path

import pytest

from hortus.providers.base import ChatMessage, Delta, Done, TextRequest
from hortus_local.conversation import calculate
from hortus_local.text_sketch import write


def answer(*texts: str, operation: str = "chat", system: str | None = None, max_tokens: int = 1024) -> tuple[str, Done]:
    messages = tuple(ChatMessage("assistant" if i % 2 else "user", text) for i, text in enumerate(texts))
    request = TextRequest(
        id="g",
        model="sketch-text",
        timeout=5,
        workdir=Path(),
        operation=operation,
        messages=messages,
        system=system,
        max_tokens=max_tokens,
    )
    events = list(write(request))
    assert all(isinstance(event, Delta) for event in events[:-1])
    return "".join(event.text for event in events[:-1]), events[-1]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (("My name is Asha and I live in Pune.", "Hi", "What is my name?"), "Asha"),
        (("My name is Asha and I live in Pune.", "Hi", "Where do I live?"), "Pune"),
        (("My favourite colour is green.", "Noted", "what's my favourite colour?"), "green"),
        (("The launch is on Tuesday in Delhi.", "ok", "When is the launch?"), "Tuesday"),
        (("Tell me about tea.", "Tea is a drink.", "What did I say?"), "Tell me about tea."),
        (("मेरा नाम राज है", "नमस्ते", "मेरा नाम क्या है?"), "राज"),
        (("What is 12*7?",), "84"),
        (("How much is 15% of 2,400?",), "360"),
    ],
)
def test_chat_answers_from_earlier_messages(messages: tuple[str, ...], expected: str):
    assert expected in answer(*messages)[0]


@pytest.mark.parametrize(
    ("sum", "value"),
    [
        ("2+3*4", 14),
        ("(1 + 2) / 4", 0.75),
        ("2^10", 1024),
        ("7 plus 5", 12),
        ("9**9**9**9", None),
        ("1/0", None),
        ("2026-11-21", None),
        ("hello", None),
        ("(" * 150 + "1+1", None),
    ],
)
def test_sums_are_right_or_left_alone(sum: str, value: float | None):
    assert calculate(sum) == value


def test_a_summary_is_made_of_the_texts_own_sentences():
    text = "Cats sleep all day. The weather was fine. Cats hunt at night and cats climb. Somebody sang. Cats purr."
    made = answer(f"Summarise in 2 sentences: {text}", operation="text")[0].split("\n\n")[0]
    kept = [sentence for sentence in text.replace(". ", ".|").split("|") if sentence in made]
    assert len(kept) == 2
    assert "cats climb" in made


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Write 3 taglines for my bakery called Luna", "Luna"),
        ("Write an email to my boss about a day off", "Subject:"),
        ("5 ideas for a birthday party", "5. "),
        ("Write a haiku about rain", "Rain"),
        ("Translate this into Hindi: hello", "cannot translate"),
        ("Write a blog post about urban gardening", "# Urban Gardening"),
        ("Count the words: one two three four", "4 words"),
    ],
)
def test_texts_of_known_kinds_are_labelled_as_sketches(prompt: str, expected: str):
    text = answer(prompt, operation="text")[0]
    assert expected in text
    assert "sketch" in text
    assert text == answer(prompt, operation="text")[0]


def test_a_better_prompt_is_nothing_but_a_prompt():
    text = answer("a cat in a garden", operation="text", system="Improve the user's prompt for an image model.")[0]
    assert text.startswith("A cat in a garden,")
    assert "sketch" not in text


def test_length_and_usage_are_honest():
    text, done = answer("Write a story about a kite", operation="text", max_tokens=5)
    assert (done.finish, done.usage.output_tokens) == ("length", 5)
    assert len(text) <= 20
    assert answer("hi")[1].finish == "stop"
    assert answer("hi there", system="x" * 392)[1].usage.input_tokens == 100


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        " ",
        "اكتب",
        "💥" * 5000,
        "a" * 300_000,
        "(((((" * 4000,
        "1+" * 9000,
        "\x00\u202e",
        '"' * 9999,
        "my " * 30_000 + " is",
    ],
)
def test_anything_gets_an_answer_soon(prompt: str):
    for operation in ("text", "chat"):
        assert answer(prompt, operation=operation)[0].strip()


def test_importing_the_provider_is_light():
    code = "import sys, hortus_local; from hortus_local import Adapter; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"cv2", "av", "numpy", "PIL"}.isdisjoint(loaded)
