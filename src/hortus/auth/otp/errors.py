"""Errors of codes and links."""

from hortus.core.errors import Problem, Unauthenticated


class BadCode(Unauthenticated):
    """The code is wrong, expired, used, locked or was never requested: one answer for all cases."""

    code, title = "bad_code", "This code is invalid"
    detail = "The code is wrong, has expired, or was used or tried too often. Check it, or request a new one."


class BadLink(Unauthenticated):
    """Unknown, expired or used."""

    code, title = "bad_link", "This link is invalid"
    detail = "The link has expired or was used. Request a new one."


class CountryNotServed(Problem):
    """No text messages go to that country."""

    code, status, title = "country_not_served", 422, "We send no text messages to this country"
    detail = "Use an e-mail address, or a mobile number of another country."
