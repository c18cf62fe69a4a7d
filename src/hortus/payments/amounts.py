"""Chargeable amounts of a gateway per currency: its units, minimum, maximum and smallest step.

Amounts are minor units of ISO 4217, except in a gateway's API, whose units may differ. Each adapter has a table
(`currencies.toml`) with its source and date.
"""

import tomllib
from dataclasses import dataclass, field
from importlib import resources
from math import gcd

from hortus.core.money import minor_digits


@dataclass(frozen=True, slots=True)
class AmountRule:
    """Limits of one currency in its minor units; `maximum` None means no limit."""

    minimum: int = 1
    maximum: int | None = None
    multiple: int = 1

    def allows(self, amount_minor: int) -> bool:
        """Whether the gateway charges this amount."""
        within = self.minimum <= amount_minor and (self.maximum is None or amount_minor <= self.maximum)
        return within and amount_minor % self.multiple == 0

    def rounded_up(self, amount_minor: int) -> int:
        """Round up to the next multiple."""
        return -(-amount_minor // self.multiple) * self.multiple


@dataclass(frozen=True, slots=True)
class Amounts:
    """The table of one gateway, in its own units. Unlisted currencies have two decimals and no limits.

    `decimals` is the number of decimals the gateway uses for a currency; `multiples` and `minimum` are in its units;
    `refused` lists currencies whose units the gateway does not document.
    """

    decimals: dict[str, int] = field(default_factory=dict)
    multiples: dict[str, int] = field(default_factory=dict)
    minimum: dict[str, int] = field(default_factory=dict)
    maximum: int | None = None
    refused: frozenset[str] = frozenset()
    iso: bool = False
    """Whether the gateway uses the minor units of ISO 4217 for every currency."""

    def rule(self, currency: str) -> AmountRule | None:
        """The limits of a currency; None if the gateway does not support it."""
        if currency in self.refused:
            return None
        shift, multiple = self._shift(currency), self.multiples.get(currency, 1)
        scale = 10 ** abs(shift)
        step = multiple // gcd(multiple, scale) if shift >= 0 else multiple * scale
        least, most = self.minimum.get(currency, 1), self.maximum
        if shift >= 0:
            least, most = -(-least // scale), None if most is None else most // scale
        else:
            least, most = least * scale, None if most is None else most * scale
        return AmountRule(-(-least // step) * step, most, step)

    def to_units(self, amount_minor: int, currency: str) -> int:
        """Convert a permitted amount to the gateway's units."""
        shift = self._shift(currency)
        scale: int = 10 ** abs(shift)
        return amount_minor * scale if shift >= 0 else amount_minor // scale

    def from_units(self, units: int, currency: str) -> int:
        """Convert an amount of the gateway to minor units, rounded down."""
        shift = self._shift(currency)
        scale: int = 10 ** abs(shift)
        return units // scale if shift >= 0 else units * scale

    def _shift(self, currency: str) -> int:
        digits = minor_digits(currency)
        return self.decimals.get(currency, digits if self.iso else 2) - digits


EVERY_AMOUNT = Amounts(iso=True)
"""Default table: any amount, in minor units of ISO 4217."""


def load(package: str) -> Amounts:
    """Load `currencies.toml` of a package. Raises KeyError or TOMLDecodeError if it is malformed."""
    given = tomllib.loads((resources.files(package) / "currencies.toml").read_text(encoding="utf-8"))
    zero, three = given["zero_decimal"], given["three_decimal"]
    return Amounts(
        dict.fromkeys(zero, 0) | dict.fromkeys(three, 3) | given.get("decimals", {}),
        dict.fromkeys(three, 10) | given.get("multiples", {}),
        given.get("minimum", {}),
        given.get("maximum"),
        frozenset(given.get("refused", ())),
    )
