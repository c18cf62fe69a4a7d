"""Quotes: choose gateway and currency, and price a pack or a free amount."""

from dataclasses import dataclass

from hortus.billing.errors import GatewayUnknown, NotForSale, PaymentsNotConfigured
from hortus.billing.price_list.packs import Pack, pack_named
from hortus.billing.price_list.settings import BillingSettings
from hortus.core.db import Tx
from hortus.core.money import credits_to_text
from hortus.payments import Gateway, Gateways


def choose_gateway(gateways: Gateways, requested: str | None, currency: str | None, *, subscription: bool) -> Gateway:
    """The requested gateway, or the first with the currency.

    Raises GatewayUnknown, PaymentsNotConfigured, NotForSale.
    """
    if requested is not None:
        found = gateways.get(requested)
        if found is None:
            raise GatewayUnknown
        if currency is not None and currency not in found.capabilities.currencies:
            raise NotForSale
        return found
    ready = [each for each in gateways.ready() if each.capabilities.subscriptions or not subscription]
    if not ready:
        raise PaymentsNotConfigured
    fitting = [each for each in ready if currency is None or currency in each.capabilities.currencies]
    if not fitting:
        raise NotForSale
    # Prefer the gateway whose first currency it is.
    return next((each for each in fitting if currency == each.capabilities.currencies[0]), fitting[0])


def choose_currency(tx: Tx, gateway: Gateway, requested: str | None, prices: dict[str, int]) -> str:
    """The requested currency, or the gateway's first currency that has a price. Raises NotForSale."""
    own = tx.settings(BillingSettings).payment_currency.upper()
    candidates = (requested,) if requested is not None else (own, *gateway.capabilities.currencies)
    for currency in candidates:
        if currency in gateway.capabilities.currencies and prices.get(currency):
            return currency
    raise NotForSale


@dataclass(frozen=True, slots=True)
class CreditQuote:
    """Micro-credits and their price, from a pack or a free amount."""

    title: str
    credits: int
    amount_minor: int
    currency: str
    pack: Pack | None = None


async def quote_pack(tx: Tx, gateway: Gateway, name: str, currency: str | None) -> CreditQuote:
    """Quote a pack. Raises NotForSale."""
    pack = await pack_named(tx, name)
    chosen = choose_currency(tx, gateway, currency, pack.terms.prices)
    return CreditQuote(pack.terms.title, pack.terms.credits, pack.terms.prices[chosen], chosen, pack)


def quote_amount(tx: Tx, amount_minor: int, currency: str) -> CreditQuote:
    """Quote a free amount at the operator's rate. Raises NotForSale, AmountNotOffered."""
    for offered in tx.settings(BillingSettings).amounts():
        if offered.currency == currency:
            worth = offered.credits_for(amount_minor)
            return CreditQuote(f"{credits_to_text(worth)} credits", worth, amount_minor, currency)
    raise NotForSale
