"""Errors of billing, and the translation of gateway errors into them."""

from hortus.core.errors import Conflict, NotFound, Problem, ServiceUnavailable
from hortus.payments import AmountRefused, Declined, GatewayError, GatewayNotConfigured, GatewayRefused


class PaymentsNotConfigured(ServiceUnavailable):
    """No gateway is ready."""

    code, title = "payments_not_configured", "Nothing can be bought here yet"
    detail = "The operator has not set up a payment gateway."


class GatewayFailed(Problem):
    """The gateway gave no usable response."""

    code, status, title = "gateway_failed", 502, "The payment gateway did not answer"
    detail = "Nothing was bought. Try again in a moment; the same `Idempotency-Key` never buys twice."


class PaymentDeclined(Problem):
    """The bank or the card declined the payment."""

    code, status, title = "payment_declined", 402, "The payment was declined"
    detail = "Nothing was charged. Use another card or ask your bank."


class GatewayUnknown(NotFound):
    """No such gateway, or it is not ready."""

    code = "gateway_not_found"
    detail = "There is no such payment gateway here. `GET /api/payment/plans` lists those that are ready."


class NotForSale(NotFound):
    """No such plan or pack, or it has no such price."""

    code = "not_for_sale"
    detail = "That is not for sale in this currency and interval. `GET /api/payment/plans` lists what is."


class AlreadySubscribed(Conflict):
    """The customer has an active subscription."""

    code = "already_subscribed"
    detail = "You have a subscription already. Change it with `PUT /api/payment/subscription/update`."


class NoSubscription(NotFound):
    """The customer has no active subscription."""

    code = "no_subscription"
    detail = "You have no active subscription."


class CannotChange(Conflict):
    """The subscription cannot be changed to this."""

    code = "cannot_change"
    detail = "The subscription cannot be changed to this plan. Cancel it, and buy the other one when it has ended."


class CheckoutNotFound(NotFound):
    """No such checkout, or not yours."""

    code = "checkout_not_found"
    detail = "There is no such checkout, or it is not yours."


class CheckoutPaidAlready(Conflict):
    """The checkout was paid and cannot be cancelled."""

    code = "checkout_paid"
    detail = "This checkout was paid. Your credits or plan follow; ask the operator for a refund."


class AmountNotOffered(Problem):
    """A free amount outside of the operator's limits."""

    code, status, title = "amount_not_offered", 422, "This amount is not for sale"
    detail = "`amounts` of `GET /api/payment/plans` says what may be bought in which currency."


class AmountNotChargeable(Conflict):
    """The gateway cannot charge this amount."""

    code, title = "amount_not_chargeable", "The gateway cannot charge this amount"
    detail = "The amount is below what the payment gateway charges, above it, or between two of its steps."


class PaymentRefused(Conflict):
    """The gateway refused the request for good."""

    code, title = "gateway_refused", "The payment gateway refused this"
    detail = "Nothing was charged, and trying again does not help. Choose something else, or ask the operator."


class NothingSaved(Conflict):
    """The customer has no saved card at a gateway that supports off-session charges."""

    code, title = "nothing_saved", "There is no saved way to pay"
    detail = "Buy something once first; a gateway that can charge you again remembers how you paid."


class PaymentNotFound(NotFound):
    """No such payment, or not yours."""

    code = "payment_not_found"
    detail = "There is no such payment, or it is not yours."


class CannotRefund(Conflict):
    """The amount exceeds the rest of the payment."""

    code = "cannot_refund"
    detail = "Refund at most what was paid and not refunded yet."


class CannotAssign(Conflict):
    """The payment is not unmatched, or the checkout cannot accept it."""

    code = "cannot_assign"
    detail = (
        "Only an unmatched payment of which nothing went back can be assigned: to an order of credit that is not "
        "paid, or to a user whose account is not deleted."
    )


class BadSignature(Problem):
    """A webhook or callback that is not from the gateway."""

    code, status, title = "bad_signature", 400, "That is not from the gateway"
    detail = "The signature, its time, or the form of the event is wrong."


class NoPortal(NotFound):
    """The gateway has no customer portal."""

    code = "no_portal"
    detail = "Your payment gateway has no such page. Use the routes under `/api/payment/subscription`."


def problem_of(error: GatewayError, refused: Problem | None = None) -> Problem:
    """Translate a gateway error for customers; a permanent refusal is never shown as temporary.

    `refused` replaces the error for a refusal.
    """
    match error:
        case Declined():
            return PaymentDeclined()
        case AmountRefused():
            return AmountNotChargeable()
        case GatewayRefused():
            return refused or PaymentRefused()
        case GatewayNotConfigured():
            return PaymentsNotConfigured()
        case _:
            return GatewayFailed()
