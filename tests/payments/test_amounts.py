"""Vendors count some currencies in other units than ISO 4217, and charge from an amount on, up to one, in steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulators.limits import razorpay_refuses, stripe_refuses

from hortus.billing.statements.reports import decimal
from hortus.core.money import WITH_FOUR, WITH_THREE, WITHOUT_MINOR, minor_digits, money_to_text
from hortus.invoicing.pdf import money
from hortus.payments.amounts import Amounts
from hortus.payments.razorpay.settings import AMOUNTS as RAZORPAY
from hortus.payments.stripe.currencies import AMOUNTS as STRIPE

CURRENCIES = sorted({*WITHOUT_MINOR, *WITH_THREE, *WITH_FOUR, "MGA", "USD", "EUR", "INR", "HUF", "TWD", "JPY", "CZK"})
AMOUNT = st.integers(1, 10**12)


@pytest.mark.parametrize(
    ("currency", "amount", "units"),
    [
        ("USD", 2000, 2000), ("JPY", 2000, 2000), ("KRW", 500, 500), ("XPF", 500, 500),
        ("UGX", 20_000, 2_000_000), ("ISK", 500, 50_000), ("KWD", 1_230, 1_230), ("MGA", 20_00, 20),
        ("HUF", 200_00, 200_00),
    ],
)  # fmt: skip
def test_stripe_is_sent_its_own_units(currency: str, amount: int, units: int):
    assert STRIPE.to_units(amount, currency) == units
    assert STRIPE.from_units(units, currency) == amount


@pytest.mark.parametrize("currency", CURRENCIES)
@given(amount=AMOUNT)
def test_what_a_rule_allows_the_vendor_charges(currency: str, amount: int):
    stripe, razorpay = STRIPE.rule(currency), RAZORPAY.rule(currency)
    if stripe is not None:
        units = STRIPE.to_units(amount, currency)
        fits = STRIPE.from_units(units, currency) == amount
        refused = stripe_refuses(units, currency.lower())
        assert stripe.allows(amount) == (fits and refused is None)
        assert stripe.rounded_up(amount) - amount in range(stripe.multiple)
    if razorpay is not None:
        assert RAZORPAY.to_units(amount, currency) == amount
        assert razorpay.allows(amount) == (razorpay_refuses(amount, currency) is None)


def test_a_gateway_without_a_table_charges_everything():
    rule = Amounts(iso=True).rule("KWD")
    assert rule is not None
    assert rule.allows(1)
    assert Amounts(iso=True).to_units(1, "JPY") == 1


@pytest.mark.parametrize("currency", CURRENCIES)
def test_amounts_are_shown_in_the_units_in_which_they_are_counted(currency: str):
    """Babel shows the dinar of Iraq without decimals; ISO 4217 counts it in thousandths."""
    digits = minor_digits(currency)
    assert decimal(10**digits, currency) == "1" + ("." + "0" * digits if digits else "")
    assert money_to_text(10**digits, currency).endswith(decimal(10**digits, currency))
    assert money(10**digits, currency).lstrip("\u200f").endswith(decimal(10**digits, currency))
