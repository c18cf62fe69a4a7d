"""A bounded load profile for Locust: how does an installation of yours behave with so many customers?

    pip install locust
    locust -f deploy/load/locustfile.py --headless --host http://127.0.0.1:8000

Run the server with RATE_LIMITS_ENABLED=false, and against providers that cost nothing (`local`): quotas and credits
stay on, so most customers meet the wall of the free plan, which counts as a right answer. The shape climbs to
LOAD_USERS, holds for LOAD_SECONDS in all, and ends by itself. Never aim it at an installation that is not yours.
"""

import os
import secrets
from typing import Any

from locust import FastHttpUser, LoadTestShape, between, task

USERS = min(int(os.environ.get("LOAD_USERS", "50")), 500)
SECONDS = min(int(os.environ.get("LOAD_SECONDS", "180")), 1800)
WALLS = (402, 429)


class Climb(LoadTestShape):  # type: ignore[misc]
    """A third of the time up, then level, then over."""

    def tick(self) -> tuple[int, float] | None:
        """How many customers there should be now."""
        run_time = self.get_run_time()
        if run_time > SECONDS:
            return None
        return max(1, min(USERS, round(USERS * 3 * run_time / SECONDS))), max(1.0, USERS / 10)


class Customer(FastHttpUser):  # type: ignore[misc]
    """Signs up once, then looks more often than it makes."""

    wait_time = between(0.5, 3)

    def on_start(self) -> None:
        """A new account, and a room to talk in."""
        email = f"load-{secrets.token_hex(8)}@example.com"
        body = {"email": email, "password": secrets.token_urlsafe(16), "accept_terms": True}
        tokens = self.client.post("/api/auth/register", json=body).json()
        self.headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        self.room = self.client.post("/api/chatroom", json={"title": "Load"}, headers=self.headers).json()["id"]

    @task(6)
    def look(self) -> None:
        """What every page asks first."""
        self.client.get("/api/user/usage", headers=self.headers)

    @task(4)
    def browse(self) -> None:
        """The list of what was made."""
        self.client.get("/api/generations", headers=self.headers)

    @task(3)
    def rooms(self) -> None:
        """The cached list."""
        self.client.get("/api/chatroom", headers=self.headers)

    @task(2)
    def talk(self) -> None:
        """A message; the reply is made in the background."""
        self._make("/api/chatroom/{room_id}/message", {"content": "Hello"}, room_id=self.room)

    @task(1)
    def write(self) -> None:
        """A text, waited for."""
        self._make("/api/text/generate", {"prompt": "A tagline for a tea shop"})

    @task(1)
    def paint(self) -> None:
        """An image, not waited for."""
        self._make("/api/image/generate", {"prompt": "A lake at dawn"})

    def _make(self, path: str, body: dict[str, Any], **places: str) -> None:
        address = path.format(**places)
        with self.client.post(address, json=body, headers=self.headers, name=path, catch_response=True) as answer:
            if answer.status_code in WALLS:
                answer.success()
