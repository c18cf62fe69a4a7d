"""Amounts are integers: credits in micro-credits, money in the minor unit of its currency.

Only this module rounds amounts.
"""

from collections.abc import Sequence
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
    """Credits as text: `1500000` -> `"1.5"`."""
    return format((Decimal(micro) / MICRO).normalize(), "f")


WITHOUT_MINOR = (
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "UYI",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
)
WITH_THREE = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
WITH_FOUR = ("CLF", "UYW")
"""Currencies whose minor unit is not a hundredth (ISO 4217)."""


def minor_digits(currency: str) -> int:
    """The number of decimals of a currency (ISO 4217)."""
    if currency in WITHOUT_MINOR:
        return 0
    return 3 if currency in WITH_THREE else 4 if currency in WITH_FOUR else 2


def money_to_text(amount_minor: int, currency: str) -> str:
    """Money as text: `(50000, "INR")` -> `"INR 500.00"`."""
    places = minor_digits(currency)
    return f"{currency} {Decimal(amount_minor).scaleb(-places):.{places}f}"


def multiply_up(amount: int, numerator: int, denominator: int) -> int:
    """`amount * numerator / denominator`, rounded up in favour of the seller."""
    if denominator <= 0:
        raise ValueError("the denominator must be > 0")
    exact = Decimal(amount) * numerator / denominator
    return int(exact.to_integral_value(rounding=ROUND_CEILING))


def shares_of(gross: int, rates: Sequence[int]) -> list[int]:
    """The taxes included in `gross`, one per rate in basis points (1800 is 18 %), each rounded half up.

    The rest of `gross` is the net amount, so net and taxes always add up to the payment. If the rounded taxes exceed
    `gross`, the later ones are reduced, so that no amount is negative.
    """
    if gross < 0 or any(rate < 0 for rate in rates):
        raise ValueError("gross and rates must be >= 0")
    whole = 10_000 + sum(rates)
    shares, left = [], gross
    for rate in rates:
        shares.append(min(left, (2 * gross * rate + whole) // (2 * whole)))
        left -= shares[-1]
    return shares


def apportion(amount: int, weights: Sequence[int]) -> list[int]:
    """Divide `amount` by `weights` without a remainder: each part is its share rounded down or up, at most its weight.

    The largest fractions are rounded up, of equal ones the first. Raises ValueError if `amount` exceeds the sum of
    the weights.
    """
    whole = sum(weights)
    if not 0 <= amount <= whole or any(weight < 0 for weight in weights):
        raise ValueError(f"the amount must be from 0 to the sum of the weights, not {amount}")
    if not whole:
        return [0 for _ in weights]
    parts = [amount * weight // whole for weight in weights]
    by_fraction = sorted(range(len(weights)), key=lambda place: (-(amount * weights[place] % whole), place))
    for place in by_fraction[: amount - sum(parts)]:
        parts[place] += 1
    return parts


def percent_to_points(text: str) -> int:
    """Basis points from a percentage such as `"18"` or `"5.5"`; exact, or ValueError."""
    try:
        points = Decimal(text) * 100
    except ArithmeticError as error:
        raise ValueError(f"{text!r} is not a percentage") from error
    if not points.is_finite() or points != points.to_integral_value() or not 0 <= points <= 10_000:
        raise ValueError(f"{text!r} must be a percentage from 0 to 100 with at most two decimals")
    return int(points)


def points_to_percent(points: int) -> str:
    """A percentage as text: `1800` -> `"18"`."""
    return format((Decimal(points) / 100).normalize(), "f")
