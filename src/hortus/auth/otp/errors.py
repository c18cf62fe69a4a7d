"""What codes and links can refuse."""

from hortus.core.errors import Problem, Unauthenticated


class BadCode(Unauthenticated):
    """Wrong, expired, used, locked or never asked for: one answer for all."""

    code, title = "bad_code", "This code is not good"
    detail = "The code is wrong, has expired, or was used or tried too often. Check it, or ask for a new one."


class BadLink(Unauthenticated):
    """Unknown, expired or used."""

    code, title = "bad_link", "This link is not good"
    detail = "The link has expired or was used. Ask for a new one."


class CountryNotServed(Problem):
    """No text messages go to that country."""

    code, status, title = "country_not_served", 422, "We send no text messages to this country"
    detail = "Use an e-mail address, or a mobile number of another country."
