"""Translate errors of the Stripe SDK. Stripe's messages are dropped: they repeat names, cards and keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hortus.payments.base import (
    AmountRefused,
    Declined,
    GatewayError,
    GatewayNotConfigured,
    GatewayRefused,
    GatewayUnavailable,
)

if TYPE_CHECKING:
    from stripe import StripeError

MISSING = "resource_missing"
AMOUNT_CODES = ("amount_too_small", "amount_too_large", "invalid_charge_amount")
LONGEST_WAIT = 3600.0


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Raise errors of the Stripe SDK as GatewayError; `what` names the request in its text."""
    import stripe  # noqa: PLC0415 - half a second, only where Stripe is used

    try:
        yield
    except stripe.StripeError as error:
        raise _translated(what, error) from None
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise GatewayUnavailable(f"{what}: Stripe's answer has another form ({type(error).__name__})") from error


def is_missing(error: "StripeError") -> bool:
    """Whether the object does not exist at Stripe."""
    return error.code == MISSING


def _translated(what: str, error: "StripeError") -> GatewayError:
    import stripe  # noqa: PLC0415 - half a second, only where Stripe is used

    said = f"{what}: {_in_short(error)}"
    match error:
        case stripe.CardError():
            return Declined(said)
        case stripe.RateLimitError():
            return GatewayUnavailable(said, _wait(error))
        case stripe.AuthenticationError() | stripe.PermissionError():
            return GatewayNotConfigured(f"{said}; look at STRIPE_SECRET_KEY and what it may do")
        case stripe.InvalidRequestError() if error.code in AMOUNT_CODES:
            return AmountRefused(said)
        case stripe.InvalidRequestError() | stripe.IdempotencyError():
            return GatewayRefused(said)
        case _:
            return GatewayUnavailable(said, _wait(error))


def _in_short(error: "StripeError") -> str:
    body = error.json_body
    inner = body.get("error") if isinstance(body, dict) else None
    named = inner if isinstance(inner, dict) else {}
    parts = [str(error.http_status or type(error).__name__)]
    parts += [str(named[name])[:80] for name in ("code", "decline_code", "param") if isinstance(named.get(name), str)]
    if error.request_id:
        parts.append(f"request {error.request_id[:80]}")
    return " ".join(parts)


def _wait(error: "StripeError") -> float | None:
    headers = error.headers or {}
    given = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return min(float(given), LONGEST_WAIT) if given.isascii() and given.isdigit() and len(given) < 10 else None
