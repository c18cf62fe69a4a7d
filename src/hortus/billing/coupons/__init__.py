"""Coupons: codes that discount a payment or grant credits."""

from hortus.billing.coupons.attempts import count_attempt
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
    make,
    redemptions_of,
    reserve,
    settle,
    usable,
)
from hortus.billing.coupons.tables import Coupon, Redemption

__all__ = [
    "Coupon",
    "CouponNotApplicable",
    "CouponTerms",
    "Redemption",
    "count_attempt",
    "discount_of",
    "end",
    "find",
    "find_all",
    "find_usable",
    "give_gift",
    "make",
    "mint",
    "plain",
    "redemptions_of",
    "reserve",
    "settle",
    "usable",
]
