"""Check amounts against a gateway's limits, before an order is inserted and when a price is published."""

from collections.abc import Iterable, Mapping

from hortus.billing.errors import AmountNotChargeable
from hortus.core.money import money_to_text
from hortus.payments import AmountRule, Gateway


def require_chargeable(gateway: Gateway, amount_minor: int, currency: str) -> None:
    """Check an amount. Raises AmountNotChargeable, which names the minimum, maximum and step of the gateway."""
    rule = gateway.capabilities.amounts.rule(currency)
    if rule is None or not rule.allows(amount_minor):
        raise _not_chargeable(gateway, rule, amount_minor, currency)


def rounded_up(gateway: Gateway, amount_minor: int, currency: str) -> int:
    """Round an amount up to the gateway's smallest step."""
    rule = gateway.capabilities.amounts.rule(currency)
    return amount_minor if rule is None else rule.rounded_up(amount_minor)


def require_prices(gateways: Iterable[Gateway], prices: Mapping[str, int]) -> None:
    """Check prices against every configured gateway that supports their currencies. Raises AmountNotChargeable."""
    for gateway in gateways:
        for currency, amount in prices.items():
            if amount and currency in gateway.capabilities.currencies:
                require_chargeable(gateway, amount, currency)


def _not_chargeable(gateway: Gateway, rule: AmountRule | None, amount_minor: int, currency: str) -> AmountNotChargeable:
    if rule is None:
        return AmountNotChargeable(f"{gateway.title} charges nothing in {currency}.", currency=currency)
    bounds = [f"at least {money_to_text(rule.minimum, currency)}"]
    if rule.maximum is not None:
        bounds.append(f"at most {money_to_text(rule.maximum, currency)}")
    if rule.multiple > 1:
        bounds.append(f"multiples of {money_to_text(rule.multiple, currency)}")
    sentence = f"{gateway.title} charges {', '.join(bounds)}; this comes to {money_to_text(amount_minor, currency)}."
    return AmountNotChargeable(
        sentence,
        currency=currency,
        amount_minor=amount_minor,
        minimum_minor=rule.minimum,
        maximum_minor=rule.maximum,
        multiple_minor=rule.multiple,
    )
