"""Amounts are integers: credits in micro-credits, money in the minor unit of its currency.

This is the one place where amounts are rounded.
"""

from decimal import ROUND_CEILING, Decimal

MICRO = 1_000_000
"""Micro-credits in one credit."""


def credits_from_text(text: str) -> int:
    """Micro-credits from a decimal number of credits such as `"0.25"`; exact, or ValueError."""
    scaled = Decimal(text) * MICRO
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError(f"{text!r} is not a whole number of micro-credits")
    return int(scaled)


def credits_to_text(micro: int) -> str:
    """Credits for people: `1500000` -> `"1.5"`."""
    return format((Decimal(micro) / MICRO).normalize(), "f")


def multiply_up(amount: int, numerator: int, denominator: int) -> int:
    """`amount * numerator / denominator`, rounded up: a fraction of a unit is never given away."""
    if denominator <= 0:
        raise ValueError("the denominator must be positive")
    exact = Decimal(amount) * numerator / denominator
    return int(exact.to_integral_value(rounding=ROUND_CEILING))
