"""Parsing and normalisation of e-mail addresses."""

import unicodedata

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

LONGEST_LOCAL_PART = 64
"""Octets before the `@` that a mail server must accept (RFC 5321, 4.5.3.1.1)."""
LONGEST = 254
"""Octets of a whole address (RFC 3696, erratum 1690)."""


def parse(address: str, *, test_environment: bool = False) -> ValidatedEmail:
    """The parts of an address, without a check that it exists. Raises ValueError with a sentence for the caller."""
    try:
        found = validate_email(address, check_deliverability=False, strict=True, test_environment=test_environment)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    _short_enough(found.normalized)
    return found


def normalise(address: str) -> str:
    """The canonical form in which an address is stored and compared; raises ValueError like `parse`.

    Invisible characters around it, as in copied addresses, are dropped.
    """
    invisible = "".join({c for c in address if c.isspace() or unicodedata.category(c) == "Cf"})
    folded = parse(address.strip(invisible)).normalized.casefold()
    return _short_enough(folded)


def _short_enough(address: str) -> str:
    if len(address.rpartition("@")[0].encode()) > LONGEST_LOCAL_PART:
        raise ValueError(f"The email address has more than {LONGEST_LOCAL_PART} octets before the @-sign.")
    if len(address.encode()) > LONGEST:
        raise ValueError(f"The email address has more than {LONGEST} octets.")
    return address
