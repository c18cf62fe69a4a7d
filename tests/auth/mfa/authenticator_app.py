"""What a person with an authenticator app does: read the secret once, then type codes."""

from typing import Any

import httpx2
import pyotp
from tests.helpers.server import PASSWORD

from hortus.core import clock


class App:
    """An authenticator app that scanned the secret of one account."""

    def __init__(self, secret: str, recovery_codes: list[str] | None = None) -> None:
        self._totp = pyotp.TOTP(secret)
        self.recovery_codes = recovery_codes or []

    def code(self, steps: int = 0) -> str:
        """The code of this moment, or of so many steps later."""
        return self._totp.at(clock.now(), counter_offset=steps)

    def wrong(self) -> str:
        """A code that is none of those accepted now."""
        near = {self.code(steps) for steps in range(-2, 3)}
        return next(code for code in (f"{number:06}" for number in range(10)) if code not in near)


async def set_up(client: httpx2.AsyncClient) -> App:
    """An active second factor on the client's account; the code of this very step is used up."""
    secret = (await client.post("/api/auth/totp/setup")).json()["secret"]
    app = App(secret)
    confirmed = await client.post("/api/auth/totp/confirm", json={"code": app.code()})
    assert confirmed.status_code == 200, confirmed.text
    return App(secret, confirmed.json()["recovery_codes"])


async def first_step(client: httpx2.AsyncClient, email: str) -> dict[str, Any]:
    """What the right password is answered with."""
    answer = await client.post("/api/auth/login", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def second_step(client: httpx2.AsyncClient, challenge: str, **factor: str) -> httpx2.Response:
    """The second half of signing in."""
    return await client.post("/api/auth/totp/verify", json={"challenge": challenge, **factor})
