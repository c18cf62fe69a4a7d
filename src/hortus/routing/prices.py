"""Prices for customers (credits) and costs of vendors (their currency). Integers only."""

from dataclasses import dataclass

from hortus.core.money import multiply_up
from hortus.routing.catalog import Cost, Price

MEGAPIXEL = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a request, known before the start."""

    tokens: int = 0
    """Input and, at most, answer."""
    answer_tokens: int = 0
    """Of these, those of the answer at most. They count for the time alone."""
    images: int = 0
    pixels: int = 0
    """Of all images together."""
    seconds: int = 0
    """Of the video."""


@dataclass(frozen=True, slots=True)
class MeteredUsage:
    """The usage that is charged: reported by the vendor, or estimated."""

    input_tokens: int = 0
    output_tokens: int = 0
    images: int = 0
    milliseconds: int = 0


def price(of: Price, size: Size) -> int:
    """The price in micro-credits, frozen into the generation when it is accepted."""
    return max(
        of.minimum,
        of.per_call
        + multiply_up(of.per_1k_tokens, size.tokens, 1000)
        + of.per_image * size.images
        + multiply_up(of.per_megapixel, size.pixels, MEGAPIXEL)
        + of.per_second * size.seconds,
    )


def charge(of: Price, used: MeteredUsage, *, held: int) -> int:
    """The charge by usage in micro-credits, for text and chat, whole or stopped. Never above `held`."""
    return min(held, price(of, Size(tokens=used.input_tokens + used.output_tokens)))


def cost(of: Cost, used: MeteredUsage) -> int:
    """The vendor's charge in millionths of its currency, rounded up."""
    return (
        multiply_up(of.per_million_input, used.input_tokens, 1_000_000)
        + multiply_up(of.per_million_output, used.output_tokens, 1_000_000)
        + of.per_image * used.images
        + multiply_up(of.per_second, used.milliseconds, 1000)
    )


def estimate_tokens(text: str) -> int:
    """A cautious guess at the LLM tokens of a text: one for three bytes of UTF-8, at least one."""
    return max(1, -(-len(text.encode("utf-8", "replace")) // 3))
