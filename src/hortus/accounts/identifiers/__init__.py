"""How a user is reached and signs in: e-mail addresses and mobile numbers, each verified or not."""

from hortus.accounts.identifiers.service import (
    Holder,
    add,
    enter,
    first_unverified_email,
    holder_of,
    identifiers_of,
    is_proved,
    mark_verified,
    may_have_another,
    remove,
    verify,
    void_what_came_before,
)

__all__ = [
    "Holder",
    "add",
    "enter",
    "first_unverified_email",
    "holder_of",
    "identifiers_of",
    "is_proved",
    "mark_verified",
    "may_have_another",
    "remove",
    "verify",
    "void_what_came_before",
]
