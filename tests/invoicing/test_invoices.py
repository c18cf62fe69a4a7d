"""From a payment to an invoice that the customer downloads, over HTTP."""

import csv
import io
from datetime import timedelta

import httpx2
import pytest
from tests.billing.conftest import buy, press, quiet
from tests.helpers.server import Hortus
from tests.invoicing.pdf import glyphs, text_of

from hortus import ledger
from hortus.core import clock

CREDIT = 1_000_000
MUMBAI = "27AAPFU0939F1ZV"
HOSTILE = '#panic("x") $a$ *b* \\ @c <d> [e] `f` // /* #include "/etc/passwd" = - + 1. ~ --- ' + "'\""
DETAILS = "/api/payment/billing-details"


@pytest.fixture
def seller(monkeypatch: pytest.MonkeyPatch) -> None:
    """A seller in Mumbai who is registered for the tax."""
    monkeypatch.setenv("INVOICE_SELLER_NAME", "Gärten & Söhne ₹ Pvt Ltd")
    monkeypatch.setenv("INVOICE_SELLER_ADDRESS", "1 Marine Drive; Mumbai 400020")
    monkeypatch.setenv("INVOICE_SELLER_GSTIN", MUMBAI)


async def bought(hortus: Hortus, client: httpx2.AsyncClient, **body: str) -> dict:
    order = await buy(client, "/api/payment/topup", **{"pack": "small", "currency": "INR"} | body)
    await press(client, order, "pay")
    await quiet(hortus)
    return order


async def papers_of(client: httpx2.AsyncClient) -> list[dict]:
    return (await client.get("/api/payment/invoices")).json()["items"]


async def test_a_payment_gives_an_invoice_and_a_refund_a_credit_note(seller, hortus: Hortus):
    customer = await hortus.customer()
    details = {"name": HOSTILE, "address": "\n".join([HOSTILE] * 3), "country": "IN", "state": "Karnataka"}
    assert (await customer.get(DETAILS)).json()["name"] is None
    answer = await customer.put(DETAILS, json=details)
    assert (answer.status_code, answer.json()["state"], answer.json()["state_name"]) == (200, "29", "Karnataka")
    order = await bought(hortus, customer)
    (invoice,) = await papers_of(customer)
    assert (invoice["kind"], invoice["sandbox"]) == ("invoice", True)
    assert invoice["number"].startswith("TEST-INV-")
    assert invoice["total_minor"] == order["amount_minor"] == 99_00
    assert invoice["net_minor"] + invoice["tax_minor"] == 99_00
    assert [(tax["name"], tax["rate"], tax["amount_minor"]) for tax in invoice["taxes"]] == [("IGST", "18", 15_10)]
    assert invoice["lines"][0]["tax_code"] == "998439"
    assert invoice["buyer"]["name"] == HOSTILE

    assert (await customer.put(DETAILS, json=details | {"name": "Another"})).status_code == 200
    await press(customer, order, "refund")
    await quiet(hortus)
    note, first = await papers_of(customer)
    assert first == invoice
    assert (note["kind"], note["corrects_id"], note["total_minor"]) == ("credit_note", invoice["id"], 99_00)
    assert (note["tax_minor"], note["buyer"]) == (invoice["tax_minor"], invoice["buyer"])
    assert (await customer.get(f"/api/payment/invoices/{note['id']}")).json() == note


async def test_a_pdf_shows_what_was_written_as_it_was_written(seller, hortus: Hortus):
    customer = await hortus.customer()
    name, address = HOSTILE, "\n".join(["नमस्ते गली", HOSTILE, "W" * 150, "x y " * 30])
    assert (await customer.put(DETAILS, json={"name": name, "address": address, "country": "IN"})).status_code == 200
    await bought(hortus, customer)
    (invoice,) = await papers_of(customer)
    path = f"/api/payment/invoices/{invoice['id']}/pdf"
    answer = await customer.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert f'filename="{invoice["number"]}.pdf"' in answer.headers["content-disposition"]
    text = text_of(answer.content)
    for shown in (
        HOSTILE,
        "Gärten & Söhne",
        "₹99.00",
        "CGST 9 %",
        "SGST 9 %",
        "998439",
        invoice["number"],
        "W" * 30,
        "नमस्ते",
    ):
        assert "".join(shown.split()) in text, shown
    rupee = [glyph for font in glyphs(answer.content).values() for glyph, means in font.items() if means == "₹"]
    assert rupee
    assert 0 not in rupee, "glyph 0 is the box that stands for what a font has not"
    assert (await customer.get(path)).content == answer.content
    assert (await (await hortus.customer()).get(path)).json()["code"] == "invoice_not_found"


async def test_the_table_of_payments_is_exact_and_harmless(seller, hortus: Hortus):
    customer = await hortus.customer()
    order = await bought(hortus, customer)
    await press(customer, order, "refund")
    await quiet(hortus)
    await bought(hortus, customer, pack="medium", currency="USD")
    answer = await customer.get("/api/payment/history.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["amount"], row["tax"], row["refunded"], row["currency"]) for row in rows] == [
        ("99.00", "15.10", "99.00", "INR"),
        ("7.99", "1.22", "0.00", "USD"),
    ]
    assert (await customer.get("/api/payment/history.csv", params={"year": 2001})).text.count("\n") == 1


async def test_a_statement_says_what_a_month_was(seller, hortus: Hortus):
    customer = await hortus.customer()
    order = await bought(hortus, customer)
    await press(customer, order, "refund")
    await quiet(hortus)
    await bought(hortus, customer)
    key = (await customer.post("/api/keys", json={"name": "=Robot()"})).json()
    robot = hortus.anonymous()
    robot.headers["Authorization"] = f"Bearer {key['secret']}"
    made = await robot.post("/api/text/generate", json={"prompt": "Kites"})
    assert made.status_code == 200, made.text
    assert (await customer.delete(f"/api/keys/{key['id']}")).status_code == 204

    month = f"{clock.now():%Y-%m}"
    found = (await customer.get("/api/payment/statement", params={"month": month})).json()
    (money,) = found["money"]
    assert (money["paid_minor"], money["returned_minor"], money["net_minor"]) == (198_00, 99_00, 99_00)
    assert money["tax_minor"] == 15_10
    assert [document["kind"] for document in found["documents"]] == ["invoice", "credit_note", "invoice"]
    async with hortus.database.snapshot() as tx:
        has = await ledger.balance(tx, customer.tokens["user"]["id"])  # type: ignore[attr-defined]
    assert sum(int(line["amount"]) for line in found["credits"]) == has.balance
    assert [(each["name"], each["calls"]) for each in found["keys"]] == [("=Robot()", 1)]

    table = await customer.get("/api/payment/statement", params={"month": month, "format": "csv"})
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["name"] for row in rows if row["section"] == "key"] == ["'=Robot()"]
    before = f"{clock.now().replace(day=1) - timedelta(days=1):%Y-%m}"
    empty = (await customer.get("/api/payment/statement", params={"month": before})).json()
    assert (empty["money"], empty["documents"], empty["credits"]) == ([], [], [])


@pytest.mark.parametrize("month", ["", "2026", "2026-13", "2026-00", "26-11", "2026-1", "9999-13", "٢٠٢٦-١١"])
async def test_a_month_is_one(hortus: Hortus, month: str):
    answer = await (await hortus.customer()).get("/api/payment/statement", params={"month": month})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
