"""Errors of coupons."""

from hortus.core.errors import Conflict, NotFound


class CouponNotFound(NotFound):
    """Unknown, not yet or no longer valid, or used up; the response does not distinguish, against guessing."""

    code, title = "coupon_not_found", "This code is not good"
    detail = "There is no such code, or it has ended or is used up. Check how it is spelt."


class CouponUsed(Conflict):
    """The customer has reached the limit of uses."""

    code, title = "coupon_used", "You have used this code already"
    detail = "You have used this code as often as one customer may, or an open order of yours holds it."


class CouponNotApplicable(Conflict):
    """The code is valid, but not for this purchase."""

    code, title = "coupon_not_applicable", "This code is not for this purchase"
    detail = "The code is for something else, for another currency, or cannot be taken off at this gateway."


class CouponCodeTaken(Conflict):
    """The code chosen by the operator exists."""

    code, title = "coupon_code_taken", "There is such a code already"
    detail = "Choose another code, or leave `code` out and let one be made."
