"""A typed example client: register, generate an image, wait for it, download it, chat, use an API key.

    python examples/client.py http://127.0.0.1:8000 image.png

It needs only `httpx2`. Copy the class `Hortus`; `main` shows a complete session.
"""

import json
import secrets
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypedDict

import httpx2

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
WORKING: tuple[Status, ...] = ("queued", "running")


class Output(TypedDict):
    """One generated file; `url` is signed and short-lived."""

    file_id: str
    url: str
    mime_type: str
    bytes: int


class Failure(TypedDict):
    """Why a generation has no result."""

    code: str
    detail: str


class Generation(TypedDict):
    """One paid request to a model."""

    id: str
    kind: str
    status: Status
    progress: int
    price_credits: str
    outputs: list[Output]
    text: str | None
    error: Failure | None


class Window(TypedDict):
    """Usage of one quota window. A null limit means unlimited."""

    kind: str
    window: Literal["day", "month"]
    limit: int | None
    used: int
    remaining: int | None
    resets_at: str


class Credits(TypedDict):
    """Micro-credits in decimal strings: `"1000000"` is one credit."""

    balance: str
    held: str
    available: str


class Usage(TypedDict):
    """Quotas and credits of the caller."""

    plan: str
    windows: list[Window]
    credits: Credits


class NewKey(TypedDict):
    """An API key; `secret` is shown only once."""

    id: str
    secret: str
    prefix: str
    scopes: list[str]


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    id: str | None
    name: str
    data: dict[str, Any]


class Problem(Exception):
    """An error response: a stable `code`, a sentence, and the seconds to wait before a retry, if any."""

    def __init__(self, status: int, code: str, detail: str, retry_after: int | None) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail, self.retry_after = status, code, detail, retry_after


class Hortus:
    """The API for one caller, authenticated by access token or API key."""

    def __init__(self, base_url: str, token: str | None = None) -> None:
        self._http = httpx2.Client(base_url=base_url.rstrip("/"), timeout=60)
        self._refresh_token: str | None = None
        if token is not None:
            self._http.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def register(self, email: str, password: str) -> None:
        """Create an account and sign in."""
        body = {"email": email, "password": password, "accept_terms": True}
        try:
            self._take(self._call("POST", "/api/auth/register", body))
        except Problem as problem:
            if problem.code != "already_done":  # the first response was lost; tokens are not sent twice
                raise
            self.login(email, password)

    def login(self, email: str, password: str) -> None:
        """Sign in."""
        self._take(self._call("POST", "/api/auth/login", {"email": email, "password": password}))

    def refresh(self) -> None:
        """Get a new access token before `expires_in` is over. A refresh token works once."""
        self._take(self._call("POST", "/api/auth/refresh", {"refresh_token": self._refresh_token}))

    def make_image(self, prompt: str, **options: str | int) -> Generation:
        """Request an image, which is generated in the background. A retry after a connection error costs nothing."""
        found: Generation = self._call("POST", "/api/image/generate", {"prompt": prompt, **options})
        return found

    def generation(self, id: str) -> Generation:
        """The current state of a generation."""
        found: Generation = self._call("GET", f"/api/generations/{id}")
        return found

    def wait_for(self, id: str) -> Generation:
        """Follow a generation until it ends. An interrupted stream is resumed where it stopped."""
        last: str | None = None
        while (found := self.generation(id))["status"] in WORKING:
            for event in self._events(f"/api/generations/{id}/events", last):
                last = event.id or last
                if event.name in ("done", "error"):
                    break
        return found

    def download(self, made: Generation, output: int = 0) -> bytes:
        """Download an output by its signed link."""
        answer = self._http.get(made["outputs"][output]["url"])
        self._raise(answer)
        return answer.content

    def chat(self, room_id: str, content: str) -> Iterator[str]:
        """Send a message and yield the reply as it is generated."""
        sent = self._call("POST", f"/api/chatroom/{room_id}/message", {"content": content})
        reply = sent["reply"]["id"]
        for event in self._events(f"/api/chatroom/{room_id}/events", None):
            if event.data.get("message_id") != reply:
                continue
            if event.name == "delta":
                yield str(event.data["text"])
            elif event.name == "restart":  # another provider took over and starts again
                yield "\n"
            elif event.name == "error":
                raise Problem(200, str(event.data.get("code")), "the reply failed and was not charged", None)
            elif event.name == "done":
                return

    def open_room(self, title: str) -> str:
        """Create a chatroom and return its id."""
        return str(self._call("POST", "/api/chatroom", {"title": title})["id"])

    def usage(self) -> Usage:
        """The remaining quotas and credits."""
        found: Usage = self._call("GET", "/api/user/usage")
        return found

    def make_key(self, name: str, scopes: list[str]) -> NewKey:
        """Create an API key."""
        found: NewKey = self._call("POST", "/api/keys", {"name": name, "scopes": scopes})
        return found

    def remove_key(self, id: str) -> None:
        """Remove a key; its next call fails."""
        self._call("DELETE", f"/api/keys/{id}")

    def _take(self, tokens: dict[str, Any]) -> None:
        self._http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        self._refresh_token = tokens["refresh_token"]

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        # One idempotency key for all attempts: the request is executed and charged once. A login may be repeated.
        once = method == "POST" and path not in ("/api/auth/login", "/api/auth/refresh")
        headers = {"Idempotency-Key": str(uuid.uuid4())} if once else {}
        for last in (False, False, True):
            try:
                answer = self._http.request(method, path, json=body, headers=headers)
                break
            except httpx2.TransportError:
                if last:
                    raise
        self._raise(answer)
        return answer.json() if answer.content else None

    def _events(self, path: str, after: str | None) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": after} if after else {})}
        with self._http.stream("GET", path, headers=headers) as answer:
            if answer.status_code >= 400:
                answer.read()
                self._raise(answer)
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "data" in fields:
                    yield Event(fields.get("id"), fields.get("event", "message"), json.loads(fields["data"]))
                    fields = {}

    def _raise(self, answer: httpx2.Response) -> None:
        if answer.status_code < 400:
            return
        try:
            problem = answer.json()
        except ValueError:
            problem = {}
        raise Problem(
            answer.status_code,
            str(problem.get("code", "unknown")),
            str(problem.get("detail", answer.reason_phrase)),
            problem.get("retry_after"),
        )


def main(base_url: str, image: Path) -> None:
    """Run a complete session."""
    with Hortus(base_url) as client:
        client.register(f"visitor-{secrets.token_hex(4)}@example.com", secrets.token_urlsafe(16))
        client.refresh()

        asked = client.make_image("A quiet mountain lake at dawn", size="1024x1024")
        made = client.wait_for(asked["id"])
        if made["error"] is not None:
            raise SystemExit(f"no image: {made['error']['detail']}")
        image.write_bytes(client.download(made))
        print(f"{image}: {made['outputs'][0]['bytes']} bytes")

        room = client.open_room("From Python")
        print("reply:", "".join(client.chat(room, "Hello, who are you?")))

        left = client.usage()
        print(f"plan {left['plan']}, {int(left['credits']['available']) / 1_000_000:g} credits left")

        key = client.make_key("Nightly report", ["usage:read"])
        with Hortus(base_url, key["secret"]) as machine:
            print("by key:", machine.usage()["plan"])
            try:
                machine.make_image("not allowed")
            except Problem as problem:
                print("by key, an image:", problem.code)
        client.remove_key(key["id"])


if __name__ == "__main__":
    main(
        sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000",
        Path(sys.argv[2] if len(sys.argv) > 2 else "image.png"),
    )
