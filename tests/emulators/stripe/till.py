"""Money at the vendor: intents, charges, what goes back, what a bank questions."""

from tests.emulators.limits import stripe_refuses
from tests.emulators.stripe.books import Books, Thing
from tests.emulators.stripe.wire import Problem


def charged(amount: int, currency: str) -> int:
    """An amount that may be charged."""
    refused = stripe_refuses(amount, currency)
    if refused is not None:
        raise Problem(400, refused, f"Stripe charges no {amount} {currency}.", param="amount")
    return amount


def intend(books: Books, amount: int, currency: str, customer: str | None, **more: object) -> Thing:
    """Money that is to come."""
    return books.add(
        "payment_intent",
        amount=amount,
        currency=currency,
        customer=customer,
        status="requires_payment_method",
        payment_method_types=["card", "upi"] if currency == "inr" else ["card"],
        client_secret="pi_secret",
        **more,
    )


def take(books: Books, intent: Thing, *, ok: bool = True, code: str = "generic_decline", method: str = "card") -> Thing:
    """Try to take it: a charge that succeeds, or one that fails and leaves the intent open."""
    charge = books.add(
        "charge",
        amount=intent["amount"],
        amount_captured=intent["amount"] if ok else 0,
        captured=ok,
        currency=intent["currency"],
        customer=intent["customer"],
        payment_intent=intent["id"],
        payment_method_details={"type": method},
        paid=ok,
        status="succeeded" if ok else "failed",
        failure_code=None if ok else "card_declined",
        metadata=dict(intent["metadata"]),
    )
    intent["latest_charge"] = charge["id"]
    if ok:
        intent.update(status="succeeded", amount_received=intent["amount"], last_payment_error=None)
        if intent["customer"] is not None and intent["payment_method"] is None:
            intent["payment_method"] = card_of(books, intent["customer"], method)["id"]
        books.tell("payment_intent.succeeded", intent)
        books.tell("charge.succeeded", charge)
    else:
        error = {"type": "card_error", "code": "card_declined", "decline_code": code, "charge": charge["id"]}
        intent.update(status="requires_payment_method", last_payment_error=error)
        books.tell("payment_intent.payment_failed", intent)
        books.tell("charge.failed", charge)
    return charge


def card_of(books: Books, customer: str, method: str = "card") -> Thing:
    """The way to pay that a customer left, made at the first payment."""
    left = books.all("payment_method", lambda each: each["customer"] == customer)
    return left[0] if left else books.add("payment_method", customer=customer, type=method)


def charge_of(books: Books, payment: Thing) -> Thing:
    """The charge behind an intent, or the charge itself."""
    if payment["object"] == "charge":
        return payment
    if payment["latest_charge"] is None:
        raise Problem(400, "payment_intent_unexpected_state", "This PaymentIntent does not have a successful charge.")
    return books.get("charge", payment["latest_charge"])


def refund(books: Books, payment: Thing, amount: int, *, status: str = "succeeded") -> Thing:
    """Give money back."""
    charge = charge_of(books, payment)
    if charge["refunded"]:
        raise Problem(400, "charge_already_refunded", f"Charge {charge['id']} has already been refunded.")
    if stripe_refuses(amount, charge["currency"], back=True) is not None:
        raise Problem(
            400, "invalid_charge_amount", "The amount is not a multiple of the smallest unit.", param="amount"
        )
    if not charge["paid"] or not 0 < amount <= charge["amount"] - charge["amount_refunded"]:
        raise Problem(400, "amount_too_large", "Refund amount is greater than unrefunded amount.", param="amount")
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    made = books.add(
        "refund",
        amount=amount,
        currency=charge["currency"],
        charge=charge["id"],
        payment_intent=charge["payment_intent"],
        status=status,
    )
    books.tell("refund.created", made)
    books.tell("charge.refunded", charge)
    return made


def fail_refund(books: Books, made: Thing) -> None:
    """The bank sends a refund back."""
    charge = books.get("charge", made["charge"])
    charge["amount_refunded"] -= made["amount"]
    charge["refunded"] = False
    made.update(status="failed", failure_reason="expired_or_canceled_card")
    books.tell("refund.failed", made)


def dispute(books: Books, payment: Thing, status: str = "needs_response") -> Thing:
    """The buyer's bank questions a payment; an inquiry (`warning_…`) takes nothing yet."""
    charge = charge_of(books, payment)
    charge["disputed"] = True
    made = books.add(
        "dispute",
        amount=charge["amount"],
        currency=charge["currency"],
        charge=charge["id"],
        payment_intent=charge["payment_intent"],
        reason="fraudulent",
        status=status,
    )
    books.tell("charge.dispute.created", made)
    if not status.startswith("warning_"):
        books.tell("charge.dispute.funds_withdrawn", made)
    return made


def decide(books: Books, made: Thing, status: str) -> None:
    """The dispute is won, lost, or (an inquiry) closed."""
    made["status"] = status
    if status == "won":
        books.tell("charge.dispute.funds_reinstated", made)
    books.tell("charge.dispute.closed", made)
