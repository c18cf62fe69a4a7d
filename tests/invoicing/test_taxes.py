"""Taxes inside prices: integers that add up to what was paid, for every amount and every buyer."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from hortus.core.money import percent_to_points, shares_of
from hortus.invoicing import InvoiceSettings, tax_ids
from hortus.invoicing.schemas import DetailsIn
from hortus.invoicing.taxes import credited, tax_lines, treat

MUMBAI = "27AAPFU0939F1ZV"
NOBODY = {"country": "", "state": "", "gstin": "", "vat_id": ""}


def seller(**given) -> InvoiceSettings:
    return InvoiceSettings(_env_file=None, **{f"invoice_{name}": value for name, value in given.items()})


def taxes(settings: InvoiceSettings, gross: int, currency: str = "INR", **buyer: str) -> list[tuple[str, int]]:
    lines = treat(settings, NOBODY | buyer, currency).lines(gross)
    return [(line["name"], line["amount_minor"]) for line in lines]


@pytest.mark.parametrize(
    ("buyer", "currency", "expected"),
    [
        ({}, "INR", [("CGST", 9_00), ("SGST", 9_00)]),
        ({"country": "IN"}, "INR", [("CGST", 9_00), ("SGST", 9_00)]),
        ({"country": "IN", "state": "27"}, "INR", [("CGST", 9_00), ("SGST", 9_00)]),
        ({"country": "IN", "state": "29"}, "INR", [("IGST", 18_00)]),
        ({"country": "IN", "state": "27", "gstin": "29AAGCB7383J1Z4"}, "INR", [("IGST", 18_00)]),
        ({"country": "US"}, "USD", [("IGST", 0)]),
        ({"country": "US"}, "INR", [("IGST", 18_00)]),
    ],
)
def test_indian_tax_follows_the_place_of_the_buyer(buyer, currency, expected):
    assert taxes(seller(seller_gstin=MUMBAI), 118_00, currency, **buyer) == expected


def test_a_union_territory_has_its_own_half():
    settings = seller(seller_gstin=_with_check("04AAPFU0939F1Z"))
    assert taxes(settings, 118_00, country="IN", state="04") == [("CGST", 9_00), ("UTGST", 9_00)]


def _with_check(number: str) -> str:
    for letter in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        try:
            return tax_ids.gstin(number + letter)
        except ValueError:
            continue
    raise AssertionError(number)


def test_an_export_names_the_letter_of_undertaking():
    found = treat(seller(seller_gstin=MUMBAI, lut="AD270326000001X"), NOBODY | {"country": "US"}, "USD")
    assert found.name == "export"
    assert "AD270326000001X" in found.notes[0]


def test_vat_follows_the_country_of_the_buyer():
    settings = seller(seller_vat_id="DE136695976", vat_rates={"DE": "19", "FR": "20"})
    assert taxes(settings, 119_00, "EUR") == [("VAT", 19_00)]
    assert taxes(settings, 120_00, "EUR", country="FR", vat_id="FR40303265045") == [("VAT", 20_00)]
    assert taxes(settings, 120_00, "EUR", country="US") == [("VAT", 0)]
    moved = settings.model_copy(update={"invoice_reverse_charge": True})
    assert treat(moved, NOBODY | {"country": "FR", "vat_id": "FR40303265045"}, "EUR").name == "reverse_charge"
    assert treat(moved, NOBODY | {"country": "DE", "vat_id": "DE136695976"}, "EUR").name == "vat"


def test_without_any_number_there_is_no_tax():
    assert taxes(seller(), 118_00) == []


RATES = st.lists(st.integers(0, 10_000), max_size=3)


@given(st.integers(0, 10**15), RATES)
def test_taxes_are_as_near_as_whole_units_can_be(gross, rates):
    whole = 10_000 + sum(rates)
    shares = shares_of(gross, rates)
    assert sum(shares) <= gross
    if sum(shares) < gross:
        for share, rate in zip(shares, rates, strict=True):
            assert abs(share * whole - gross * rate) * 2 <= whole


@st.composite
def an_invoice_and_its_parts(draw) -> tuple[list[int], list[int]]:
    """The rates of an invoice, and the amounts in which all of it is credited: also one minor unit at a time."""
    rates = draw(st.one_of(RATES, st.integers(0, 5000).map(lambda half: [half, half])))
    parts = draw(st.lists(st.one_of(st.integers(1, 12), st.integers(1, 10**9)), min_size=1, max_size=12))
    return rates, parts


@given(an_invoice_and_its_parts())
@example(([900, 900], [6, 1]))
@example(([900, 900], [33_33, 33_33, 1]))
@example(([900, 900], [1] * 7))
def test_rounding_to_zero_never_makes_a_line_of_a_credit_note_negative(invoice):
    rates, parts = invoice
    taxes = tax_lines(sum(parts), [(str(number), rate) for number, rate in enumerate(rates)])
    whole = [line["amount_minor"] for line in taxes]
    notes, left = [], sum(parts)
    for part in parts:
        lines = credited(part, left, taxes, notes)
        assert all(line["amount_minor"] >= 0 for line in lines)
        assert sum(line["amount_minor"] for line in lines) <= part
        notes.append(lines)
        left -= part
        taken = [sum(note[place]["amount_minor"] for note in notes) for place in range(len(rates))]
        assert all(one <= most for one, most in zip(taken, whole, strict=True))
        assert sum(parts) - left - sum(taken) <= sum(parts) - sum(whole), "more net than the invoice has"
    assert taken == whole


def test_equal_taxes_are_credited_equally_as_long_as_there_is_net_amount_left():
    taxes = tax_lines(118_01, (("CGST", 900), ("SGST", 900)))
    notes, left = [], 118_01
    for part in (33, 1, 50_00, 7, 1001):
        central, state = credited(part, left, taxes, notes)
        assert central["amount_minor"] == state["amount_minor"]
        notes.append([central, state])
        left -= part


def test_a_credit_note_can_be_written_where_earlier_ones_credited_more_net_than_there_was():
    taxes = tax_lines(7, (("CGST", 900), ("SGST", 900)))
    earlier = [[{"amount_minor": 0}, {"amount_minor": 0}]]
    assert sum(line["amount_minor"] for line in credited(1, 1, taxes, earlier)) == 1


@pytest.mark.parametrize("bad", ["", "x", "-1", "101", "18.005", "NaN", "Infinity", "1e400000000"])
def test_a_percentage_is_one(bad):
    with pytest.raises(ValueError, match="percentage"):
        percent_to_points(bad)


# Numbers of tax offices ------------------------------------------------------


@pytest.mark.parametrize("good", [MUMBAI, "29AAGCB7383J1Z4", " 27 aapfu0939f1zv "])
def test_a_good_gstin(good):
    assert len(tax_ids.gstin(good)) == 15


@pytest.mark.parametrize(
    "bad", ["27AAPFU0939F1ZW", "99AAPFU0939F1ZV", "27AAPFU0939F1Z", "27AAPFU0939F0ZV", "٢٧AAPFU0939F1ZV"]
)
def test_a_bad_gstin(bad):
    with pytest.raises(ValueError, match="GSTIN"):
        tax_ids.gstin(bad)


VAT_IDS = (
    "ATU13585627", "BE0428759497", "DE136695976", "DK13585628", "EE100931558", "EL094259216", "ESB64717838",
    "ES54362315K", "ESX2482300W", "FI20774740", "FR40303265045", "GB980780684", "HR33392005961", "HU12892312",
    "IE6433435F", "IE6433435OA", "IT00743110157", "LU15027442", "MT11679112", "NL004495445B01", "PL8567346215",
    "PT501964843", "RO18547290", "SE123456789701", "SI50223054", "SK2022749619",
)  # fmt: skip


@pytest.mark.parametrize("good", VAT_IDS)
def test_vat_ids_are_known_by_their_check_digit(good):
    assert tax_ids.vat_id(f"{good[:2]} {good[2:]}") == good
    digit = max(place for place, letter in enumerate(good) if letter.isdigit() and place < len(good) - 2)
    wrong = good[:digit] + str((int(good[digit]) + 1) % 10) + good[digit + 1 :]
    with pytest.raises(ValueError, match=r"digit|form"):
        tax_ids.vat_id(wrong)


@pytest.mark.parametrize("bad", ["", "DE", "XX123", "DE12", "IN27", "DE١٣٦٦٩٥٩٧٦", "U" * 40])
def test_other_texts_are_no_vat_ids(bad):
    with pytest.raises(ValueError, match="VAT id"):
        tax_ids.vat_id(bad)


# What customers and operators may say ----------------------------------------


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"country": "IN", "gstin": "27AAPFU0939F1ZW"}, "gstin"),
        ({"country": "IN", "state": "29", "gstin": MUMBAI}, "state"),
        ({"country": "IN", "state": "Atlantis"}, "state"),
        ({"country": "DE", "gstin": MUMBAI}, "gstin"),
        ({"country": "DE", "vat_id": "FR40303265045"}, "vat_id"),
        ({"country": "IN", "vat_id": "DE136695976"}, "gstin"),
        ({"country": "ZZ"}, "country"),
        ({"country": "DE", "name": "a\u202eb"}, "name"),
        ({"country": "DE", "name": "a\nb"}, "name"),
        ({"country": "DE", "name": "x" * 201}, "name"),
        ({"country": "DE", "address": "x" * 501}, "address"),
    ],
)
def test_bad_details_are_refused_by_name(given, field):
    with pytest.raises(ValidationError, match=field):
        DetailsIn(**{"name": "Asha"} | given)


@pytest.mark.parametrize("said", ["27", "MH", "maharashtra", ""])
def test_a_state_is_known_by_any_of_its_names(said):
    assert DetailsIn(name="Asha", country="in", state=said, gstin=MUMBAI).state == "27"


@pytest.mark.parametrize(
    "given",
    [
        {"seller_gstin": "27AAPFU0939F1ZW"},
        {"seller_vat_id": "DE136695977"},
        {"gst_rate": "18.01"},
        {"gst_rate": "eighteen"},
        {"vat_rates": {"Germany": "19"}},
        {"vat_rates": {"DE": "119"}},
        {"prefix": "TOOLONG"},
        {"timezone": "Mars/Olympus"},
    ],
)
def test_bad_settings_are_refused_at_the_start(given):
    with pytest.raises((ValidationError, LookupError)):
        seller(**given)
