"""The amounts a gateway charges in each currency: the units it counts in, its minimum, maximum and smallest step.

Amounts are minor units of ISO 4217 everywhere but on the wire of a gateway, whose units may differ. The table of a
gateway is data beside its adapter, with its source and the day it was read.
"""

import tomllib
from dataclasses import dataclass, field
from importlib import resources
from math import gcd

from hortus.core.money import minor_digits


@dataclass(frozen=True, slots=True)
class AmountRule:
    """What may be charged in one currency, in its minor units; `maximum` None is no limit."""

    minimum: int = 1
    maximum: int | None = None
    multiple: int = 1

    def allows(self, amount_minor: int) -> bool:
        """Whether the gateway charges this amount."""
        within = self.minimum <= amount_minor and (self.maximum is None or amount_minor <= self.maximum)
        return within and amount_minor % self.multiple == 0

    def rounded_up(self, amount_minor: int) -> int:
        """The next amount that is a multiple."""
        return -(-amount_minor // self.multiple) * self.multiple


@dataclass(frozen=True, slots=True)
class Amounts:
    """The table of one gateway, in its own units. Currencies that are not named have two decimals and no limits.

    `decimals` is in how many decimals of the currency the gateway counts; `multiples` and `minimum` are in its units;
    `refused` are currencies whose units the gateway does not document.
    """

    decimals: dict[str, int] = field(default_factory=dict)
    multiples: dict[str, int] = field(default_factory=dict)
    minimum: dict[str, int] = field(default_factory=dict)
    maximum: int | None = None
    refused: frozenset[str] = frozenset()
    iso: bool = False
    """Whether the gateway counts every currency in the units of ISO 4217."""

    def rule(self, currency: str) -> AmountRule | None:
        """What may be charged in a currency; None for nothing."""
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
        """An amount that the rule allows, in the gateway's units."""
        shift = self._shift(currency)
        scale: int = 10 ** abs(shift)
        return amount_minor * scale if shift >= 0 else amount_minor // scale

    def from_units(self, units: int, currency: str) -> int:
        """An amount of the gateway's in minor units; a fraction of one is not counted."""
        shift = self._shift(currency)
        scale: int = 10 ** abs(shift)
        return units // scale if shift >= 0 else units * scale

    def _shift(self, currency: str) -> int:
        digits = minor_digits(currency)
        return self.decimals.get(currency, digits if self.iso else 2) - digits


EVERY_AMOUNT = Amounts(iso=True)
"""The table of a gateway that has none: it charges every amount, in minor units of ISO 4217."""


def load(package: str) -> Amounts:
    """The table `currencies.toml` of a package. Raises KeyError and TOMLDecodeError for one of another form."""
    given = tomllib.loads((resources.files(package) / "currencies.toml").read_text(encoding="utf-8"))
    zero, three = given["zero_decimal"], given["three_decimal"]
    return Amounts(
        dict.fromkeys(zero, 0) | dict.fromkeys(three, 3) | given.get("decimals", {}),
        dict.fromkeys(three, 10) | given.get("multiples", {}),
        given.get("minimum", {}),
        given.get("maximum"),
        frozenset(given.get("refused", ())),
    )
