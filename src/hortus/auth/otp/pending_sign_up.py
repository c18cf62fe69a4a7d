"""The data of a sign-up, stored with the code that was sent for it.

The person who reads the code completes the sign-up, and may be another than the one who requested it. If two different
sign-ups name one target while a code is valid, the data of both is dropped, and the user chooses a password later.
"""

import json
from dataclasses import asdict

from hortus.accounts import SignUpDetails

CONTESTED = "contested"


def pack(details: SignUpDetails, mark: str) -> str:
    """The stored form. `mark` is a keyed digest of the request: two sign-ups are the same if theirs are."""
    return json.dumps({"mark": mark, "details": asdict(details)})


def unpack(pending: str | None) -> SignUpDetails | None:
    """The sign-up data; None if there is none, or if it was contested."""
    return SignUpDetails(**json.loads(pending)["details"]) if pending is not None and pending != CONTESTED else None


def differ(before: str, now: str) -> bool:
    """Whether two stored forms are of different sign-ups."""
    return before == CONTESTED or json.loads(before)["mark"] != json.loads(now)["mark"]
