"""Which amounts the real vendors charge, in their own units; written down apart from the tables of our adapters."""

# https://docs.stripe.com/currencies, read on 2026-12-01
STRIPE_LEAST = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 15_00, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 175_00, "inr": 50, "jpy": 50, "mxn": 10_00, "myr": 200, "nok": 300,
    "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 10_00,
}  # fmt: skip
STRIPE_MOST = 99_999_999
STRIPE_STEPS = {"isk": 100, "ugx": 100, "bhd": 10, "jod": 10, "kwd": 10, "omr": 10, "tnd": 10}
# https://razorpay.com/docs/api/orders/create and the checkout parameters, read on 2026-12-01
RAZORPAY_LEAST = {"INR": 100}
RAZORPAY_STEPS = {"BHD": 10, "KWD": 10, "OMR": 10}


def stripe_refuses(amount: int, currency: str, *, back: bool = False) -> str | None:
    """The code with which Stripe refuses an amount, if it does; the smallest amount counts for charges only."""
    if amount % STRIPE_STEPS.get(currency, 1):
        return "invalid_charge_amount"
    if amount > STRIPE_MOST:
        return "amount_too_large"
    return "amount_too_small" if not back and amount < STRIPE_LEAST.get(currency, 1) else None


def razorpay_refuses(amount: int, currency: str) -> str | None:
    """What Razorpay says of an amount that it does not charge."""
    if amount % RAZORPAY_STEPS.get(currency, 1):
        return "The amount must be at least a multiple of 10 for three decimal currencies"
    least = RAZORPAY_LEAST.get(currency, 1)
    return f"The amount must be at least {currency} {least / 100:.2f}" if amount < least else None
