"""Who is calling."""

import time
from collections import OrderedDict
from dataclasses import dataclass, field

ALL_SCOPES = frozenset({"*"})


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in caller, as of now. `scopes` is what this call may do; `*` is everything their role may.
    `two_factors` tells whether two were proved on this session.
    """

    user_id: str
    session_id: str
    role: str
    scopes: frozenset[str] = field(default=ALL_SCOPES)
    two_factors: bool = False


class PrincipalCache:
    """What this process knows of sessions, for at most `seconds`; 0 keeps nothing."""

    def __init__(self, seconds: float, size: int = 10_000) -> None:
        self._seconds = seconds
        self._size = size
        self._known: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    def get(self, session_id: str) -> Principal | None:
        """The principal of a session, if known freshly enough."""
        found = self._known.get(session_id)
        if found is None or found[0] < time.monotonic():
            return None
        return found[1]

    def put(self, principal: Principal) -> None:
        """Remember a principal."""
        if self._seconds <= 0:
            return
        self._known[principal.session_id] = (time.monotonic() + self._seconds, principal)
        if len(self._known) > self._size:
            self._known.popitem(last=False)

    def forget(self, *session_ids: str) -> None:
        """Ask the database again at the next call of these sessions."""
        for session_id in session_ids:
            self._known.pop(session_id, None)
