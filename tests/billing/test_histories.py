"""Random histories of payments, refunds and disputes: ledger, documents and vendor agree to the minor unit.

Each history has a number, which decides everything in it: to repeat one, run `one_history` with its number alone.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, insert, select
from tests.invoicing.test_numbers import person

from hortus import ledger
from hortus.billing import apply_events, tasks
from hortus.billing.payments.documents import issue
from hortus.billing.tables import Checkout, Dispute, Payment, Refund
from hortus.core import clock, ids
from hortus.core.db import Database
from hortus.core.money import shares_of
from hortus.invoicing.tables import Invoice
from hortus.ledger.tables import Entry
from hortus.payments import CheckoutPaid, Disputed, Paid, PaymentEvent, Refunded
from hortus.payments.base import DisputeStatus
from hortus.tasks.tables import Task

CURRENCIES = ("INR", "USD", "EUR", "JPY", "KWD")
RATES = {"gst": [900, 900], "vat": [1900]}
AT_ONCE = 4


class Stopped(Exception):
    """What a transaction is rolled back by."""


@dataclass(slots=True)
class Vendor:
    """The books of a vendor about one payment: what it took, gave back, and lost to banks."""

    reference: str
    amount: int
    currency: str
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    refunds: list[int] = field(default_factory=list)
    disputes: list[tuple[int, DisputeStatus]] = field(default_factory=list)

    @property
    def external_id(self) -> str:
        return f"pay_{self.reference}"

    def fetch_events(self) -> list[PaymentEvent]:
        """All that is true now."""
        paid = Paid(self.external_id, self.amount, self.currency, self.at)
        found: list[PaymentEvent] = [CheckoutPaid(self.reference, paid)]
        found += [
            Refunded(f"re_{number}_{self.reference}", self.external_id, amount, self.currency, self.at)
            for number, amount in enumerate(self.refunds)
        ]
        found += [
            Disputed(f"dp_{number}_{self.reference}", self.external_id, amount, self.currency, status, self.at)
            for number, (amount, status) in enumerate(self.disputes)
        ]
        return found

    def happens(self, rng: random.Random) -> None:
        """Something happens to the money."""
        left = self.amount - sum(self.refunds)
        waiting = [number for number, (_, status) in enumerate(self.disputes) if status == "open"]
        deed = rng.choice(("refund", "refund", "dispute", "decide", "decide"))
        if deed == "refund" and left:
            # One unit, all that is left, or anything between.
            self.refunds.append(rng.choice((1, left, rng.randint(1, left), rng.randint(1, min(left, 9)))))
        elif deed == "dispute" and len(self.disputes) < 3:
            self.disputes.append((rng.choice((self.amount, rng.randint(1, self.amount))), "open"))
        elif deed == "decide" and waiting:
            number = rng.choice(waiting)
            self.disputes[number] = (self.disputes[number][0], rng.choice(("won", "lost")))

    @property
    def gone(self) -> int:
        """How much went back or is disputed, at most all of it."""
        held = sum(amount for amount, status in self.disputes if status != "won")
        return min(self.amount, sum(self.refunds) + held)

    @property
    def credited(self) -> int:
        """How much documents take back: an open dispute has none."""
        lost = sum(amount for amount, status in self.disputes if status == "lost")
        return min(self.amount, sum(self.refunds) + lost)


async def order(database: Database, user_id: str, number: int, rng: random.Random) -> tuple[Vendor, int]:
    """An order of credit, small amounts one after the other; and how much credit it brings."""
    small = rng.random() < 0.8
    amount = number // len(CURRENCIES) + 1 if small else rng.randint(1, 10**7)
    row = {
        "id": ids.new(), "user_id": user_id, "gateway": "stripe", "external_id": None, "kind": "topup",
        "title": "Credit", "credits": rng.randint(1, 10**9), "amount_minor": amount, "discount_minor": 0,
        "currency": CURRENCIES[number % len(CURRENCIES)], "trial_days": 0, "status": "open", "created_at": clock.now(),
    }  # fmt: skip
    async with database.transaction() as tx:
        await tx.execute(insert(Checkout), row)
    return Vendor(str(row["id"]), amount, str(row["currency"])), int(str(row["credits"]))


async def book(database: Database, events: Sequence[PaymentEvent]) -> None:
    """What our side does when it has asked the vendor."""
    async with database.transaction() as tx:
        await apply_events(tx, "stripe", events, clock.now())


async def documents_of(database: Database, vendor: Vendor) -> list[tuple[str, str]]:
    """The documents that are due for a payment, by what has been booked."""
    async with database.snapshot() as tx:
        paid = select(Payment.id).where(Payment.external_id == vendor.external_id)
        payment_id = (await tx.execute(paid)).scalar_one_or_none()
        refunds = (await tx.execute(select(Refund.id).where(Refund.payment_id == payment_id))).scalars()
        lost = select(Dispute.id).where(Dispute.payment_id == payment_id, Dispute.status == "lost")
        disputes = (await tx.execute(lost)).scalars()
        own = [("payment", payment_id)] if payment_id is not None else []
        return [*own, *(("refund", each) for each in refunds), *(("dispute", each) for each in disputes)]


async def write(database: Database, documents: list[tuple[str, str]], rng: random.Random) -> None:
    """Issue documents in any order, some of them more than once; every third try dies before its commit."""
    for source, row_id in rng.sample(documents, len(documents)):
        for _ in range(rng.choice((1, 1, 2))):
            fails = rng.random() < 0.3
            try:
                async with database.transaction() as tx:
                    await issue(tx, source, row_id)  # type: ignore[arg-type] # one of its three words
                    if fails:
                        raise Stopped
            except Stopped:
                async with database.transaction() as tx:
                    await issue(tx, source, row_id)  # type: ignore[arg-type]


async def one_history(database: Database, number: int, rates: list[int]) -> int:
    """Let a customer's money go through anything, and check what is left of it; how many documents there are."""
    rng = random.Random(number)
    user_id = await person(database)
    vendor, credits = await order(database, user_id, number, rng)
    before = vendor.fetch_events()
    for _ in range(rng.randint(1, 6)):
        vendor.happens(rng)
        if rng.random() < 0.7:
            await book(database, vendor.fetch_events())
        if rng.random() < 0.2:
            await book(database, before)  # an answer that was late: it has no effect any more
        if rng.random() < 0.3:
            await write(database, await documents_of(database, vendor), rng)
        before = vendor.fetch_events()
    await book(database, vendor.fetch_events())
    documents = await documents_of(database, vendor)
    await write(database, documents, rng)
    async with database.snapshot() as tx:
        payment = (await tx.execute(select(Payment).where(Payment.external_id == vendor.external_id))).scalar_one()
        issued = list((await tx.execute(select(Invoice).where(Invoice.payment_id == payment.id))).scalars())
        has = await ledger.balance(tx, user_id)
    held = sum(amount for amount, status in vendor.disputes if status != "won")
    assert (payment.amount_minor, payment.currency) == (vendor.amount, vendor.currency)
    assert (payment.refunded_minor, payment.disputed_minor) == (sum(vendor.refunds), held)
    assert has.balance == credits - credits * vendor.gone // vendor.amount
    (invoice,) = [document for document in issued if document.kind == "invoice"]
    notes = [document for document in issued if document.kind == "credit_note"]
    assert invoice.total_minor == vendor.amount
    assert [tax["amount_minor"] for tax in invoice.taxes] == shares_of(vendor.amount, rates)
    assert sum(note.total_minor for note in notes) == vendor.credited
    for document in issued:
        assert document.net_minor + document.tax_minor == document.total_minor
        assert document.tax_minor == sum(tax["amount_minor"] for tax in document.taxes)
        assert min(document.net_minor, *(tax["amount_minor"] for tax in document.taxes)) >= 0
    whole = vendor.credited == vendor.amount
    net = sum(note.net_minor for note in notes)
    assert net == invoice.net_minor if whole else net <= invoice.net_minor
    for place, tax in enumerate(invoice.taxes):
        taken = sum(note.taxes[place]["amount_minor"] for note in notes)
        assert taken == tax["amount_minor"] if whole else taken <= tax["amount_minor"]
    return len(documents)


@pytest.fixture(params=RATES)
def seller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Who sells, by the rates of the taxes that are inside a price."""
    if request.param == "gst":
        monkeypatch.setenv("INVOICE_SELLER_GSTIN", "27AAPFU0939F1ZV")
    else:
        monkeypatch.setenv("INVOICE_SELLER_VAT_ID", "DE136695976")
        monkeypatch.setenv("INVOICE_VAT_RATES", '{"DE": "19"}')
    return RATES[request.param]


async def test_ledger_documents_and_vendor_agree_after_any_history(seller: list[int], database: Database, full: bool):
    tasks.connect_signals()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> int:
        async with gate:
            try:
                return await one_history(database, number, seller)
            except Exception as error:
                raise AssertionError(f"history {number}") from error

    # With both sellers and both databases these are 10,000 histories, or 200.
    due = sum(await asyncio.gather(*(one(number) for number in range(2500 if full else 50))))
    async with database.snapshot() as tx:
        assert await ledger.check_invariants(tx) == []
        assert (await tx.execute(select(func.sum(Entry.amount)))).scalar_one() == 0
        for series in ("INV", "CRN"):
            rows = select(Invoice.position).where(Invoice.series.startswith(series)).order_by(Invoice.position)
            positions = list((await tx.execute(rows)).scalars())
            assert positions == list(range(1, len(positions) + 1))
        asked = select(func.count(), func.count(func.distinct(Task.key))).where(Task.name == "billing.document")
        assert tuple((await tx.execute(asked)).one()) == (due, due), "each document is requested once"
