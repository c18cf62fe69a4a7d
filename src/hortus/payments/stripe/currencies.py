"""Stripe's currency table, and conversion to and from its units."""

from hortus.payments.amounts import load
from hortus.payments.base import AmountRefused

AMOUNTS = load("hortus.payments.stripe")


def units(amount_minor: int, currency: str) -> int:
    """An amount in Stripe's units. Raises AmountRefused for a currency whose units Stripe does not document."""
    if AMOUNTS.rule(currency) is None:
        raise AmountRefused(f"Stripe charges nothing in {currency}")
    return AMOUNTS.to_units(amount_minor, currency)


def minor(given: int, currency: str) -> int:
    """Convert an amount of Stripe to minor units of ISO 4217; `currency` in lower case, as Stripe writes it."""
    return AMOUNTS.from_units(given, currency.upper())
