"""What a gateway will never charge is refused before an order is written down, and never shown as passing."""

import httpx2
import pytest
from tests.billing.conftest import buy, rows
from tests.billing.test_stripe import server_options as _options
from tests.billing.test_stripe import server_ready as _ready
from tests.billing.test_stripe import stripe as _stripe
from tests.emulators.stripe import StripeEmulator
from tests.helpers.server import Hortus, serve

stripe, server_options, server_ready = _stripe, _options, _ready
WHY = {"reason": "A new price"}


async def coupon(hortus: Hortus, **terms: object) -> str:
    root = await hortus.staff("admin")
    answer = await root.post("/api/admin/coupons", json={"name": "Off", "limit_total": None, **terms, **WHY})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["items"][0]["code"])


def refused(answer: httpx2.Response, **shown: object) -> None:
    """409, and it says what may be charged."""
    assert (answer.status_code, answer.json()["code"]) == (409, "amount_not_chargeable"), answer.text
    assert {name: answer.json()[name] for name in shown} == shown


async def test_a_discount_never_leaves_less_than_the_gateway_charges(hortus: Hortus, stripe: StripeEmulator):
    customer = await hortus.customer()
    code = await coupon(hortus, kind="percent", percent=90)
    body = {"pack": "small", "currency": "USD", "coupon": code}
    answer = await customer.post("/api/payment/topup", json=body)
    refused(answer, minimum_minor=50, amount_minor=20, currency="USD")
    assert "USD 0.50" in answer.json()["detail"]
    code = await coupon(hortus, kind="percent", percent=99)
    refused(
        await customer.post("/api/payment/subscription", json={"currency": "USD", "coupon": code}), minimum_minor=50
    )
    assert await rows(hortus, "SELECT id FROM checkouts") == []
    assert [taken for (taken,) in await rows(hortus, "SELECT taken FROM coupons")] == [0, 0]


async def test_a_price_that_no_gateway_can_charge_is_not_published(hortus: Hortus, stripe: StripeEmulator):
    root = await hortus.staff("admin")
    pack = {"name": "tiny", "title": "Tiny", "credits": "1000000", "prices": {"USD": 49}, **WHY}
    refused(await root.post("/api/admin/packs", json=pack), minimum_minor=50, currency="USD")
    assert (await root.post("/api/admin/packs", json=pack | {"prices": {"USD": 50}})).status_code == 201
    huge = pack | {"prices": {"USD": 100_000_000}}
    refused(await root.post("/api/admin/packs", json=huge), maximum_minor=99_999_999)
    plan = {"name": "cheap", "title": "Cheap", "monthly_credits": "0", "windows": [], "prices": {}, **WHY}
    refused(await root.post("/api/admin/plans", json=plan | {"yearly_prices": {"USD": 49}}), minimum_minor=50)


async def test_a_refused_key_is_not_shown_as_passing(hortus: Hortus, stripe: StripeEmulator):
    customer = await hortus.customer()
    stripe.fail("unauthorized")
    answer = await customer.post("/api/payment/topup", json={"pack": "small", "currency": "USD"})
    assert (answer.status_code, answer.json()["code"]) == (503, "payments_not_configured")


@pytest.mark.parametrize("currency", ["UGX", "ISK", "KWD", "JPY", "MGA"])
async def test_a_currency_of_other_units_is_charged_at_its_price(
    currency: str, stripe: StripeEmulator, database_url: str, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STRIPE_CURRENCIES", f"USD,{currency}")
    prices = {"UGX": 20_000, "ISK": 500, "KWD": 1_230, "JPY": 500, "MGA": 20_000_00}
    sent = {"UGX": 2_000_000, "ISK": 50_000, "KWD": 1_230, "JPY": 500, "MGA": 20_000}
    async with serve(database_url, tmp_path, knows_its_port=True) as running:
        root, customer = await running.staff("admin"), await running.customer()
        pack = {"name": "far", "title": "Far", "credits": "1000000", "prices": {currency: prices[currency]}, **WHY}
        assert (await root.post("/api/admin/packs", json=pack)).status_code == 201
        order = await buy(customer, "/api/payment/topup", pack="far", currency=currency)
        (session,) = stripe.books.all("checkout.session")
        assert (session["amount_total"], session["currency"]) == (sent[currency], currency.lower())
        assert order["amount_minor"] == prices[currency]
