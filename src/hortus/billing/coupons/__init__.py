"""Codes that take something off a payment, or give credit."""

from hortus.billing.coupons.attempts import guess_counted
from hortus.billing.coupons.codes import mint, plain
from hortus.billing.coupons.errors import CouponNotApplicable
from hortus.billing.coupons.service import (
    CouponTerms,
    discount_of,
    end,
    find,
    find_all,
    find_usable,
    give_gift,
    good,
    make,
    redemptions_of,
    reserve,
    settle,
)
from hortus.billing.coupons.tables import Coupon, Redemption

__all__ = [
    "Coupon",
    "CouponNotApplicable",
    "CouponTerms",
    "Redemption",
    "discount_of",
    "end",
    "find",
    "find_all",
    "find_usable",
    "give_gift",
    "good",
    "guess_counted",
    "make",
    "mint",
    "plain",
    "redemptions_of",
    "reserve",
    "settle",
]
