"""What can go wrong with codes, in words for customers."""

from hortus.core.errors import Conflict, NotFound


class CouponNotFound(NotFound):
    """Unknown, not yet or no longer good, or used up: all the same to whoever guesses."""

    code, title = "coupon_not_found", "This code is not good"
    detail = "There is no such code, or it has ended or is used up. Check how it is spelt."


class CouponUsed(Conflict):
    """This customer has used it as often as one may."""

    code, title = "coupon_used", "You have used this code already"
    detail = "You have used this code as often as one customer may, or an open order of yours holds it."


class CouponNotApplicable(Conflict):
    """The code is good, but not for this."""

    code, title = "coupon_not_applicable", "This code is not for this purchase"
    detail = "The code is for something else, for another currency, or cannot be taken off at this gateway."


class CouponCodeTaken(Conflict):
    """The operator chose a code that is there already."""

    code, title = "coupon_code_taken", "There is such a code already"
    detail = "Choose another code, or leave `code` out and let one be made."
