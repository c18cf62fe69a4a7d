"""A server that knows one issuer, and a browser that goes through it."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from tests.emulators.oidc import OidcEmulator
from tests.helpers.server import Hortus

FRONT = "https://studio.example.com"


@pytest.fixture
async def issuer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OidcEmulator]:
    async with OidcEmulator() as emulator:
        monkeypatch.setenv("OIDC_HOUSE_ISSUER", emulator.url)
        monkeypatch.setenv("OIDC_HOUSE_CLIENT_ID", emulator.client_id)
        monkeypatch.setenv("OIDC_HOUSE_CLIENT_SECRET", emulator.client_secret)
        monkeypatch.setenv("OIDC_HOUSE_TIMEOUT", "2")
        yield emulator


@pytest.fixture
def server_options(issuer: OidcEmulator) -> dict[str, Any]:
    return {"frontend_base_url": FRONT}


class Browser:
    """Keeps cookies, follows nothing by itself."""

    def __init__(self, hortus: Hortus) -> None:
        self.hortus, self.client = hortus, hortus.anonymous()

    async def start(self, provider: str = "house", **asked: str) -> str:
        """The issuer's page that it is sent to."""
        answer = await self.client.get(f"/api/auth/oidc/{provider}", params=asked)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def consent(self, url: str) -> str:
        """Path and query of the callback that the issuer sends it to."""
        async with httpx2.AsyncClient() as outside:
            answer = await outside.get(url)
        assert answer.status_code == 302, answer.text
        parts = urlsplit(answer.headers["location"])
        return f"{parts.path}?{parts.query}"

    async def callback(self, path: str) -> dict[str, str]:
        """What the front end is told."""
        return told(await self.client.get(path))

    async def code(self, **asked: str) -> dict[str, str]:
        """All of it: what the front end is told at the end."""
        return await self.callback(await self.consent(await self.start(**asked)))

    async def exchange(self, code: str, **more: str) -> httpx2.Response:
        return await self.client.post("/api/auth/oidc/exchange", json={"code": code, **more})

    async def sign_in(self, **asked: str) -> dict:
        """The tokens."""
        said = await self.code(**asked)
        answer = await self.exchange(said["oidc_code"])
        assert answer.status_code == 200, answer.text
        return answer.json()


def told(answer: httpx2.Response) -> dict[str, str]:
    """The fragment of the address that a browser is sent to, and the address itself as `at`."""
    assert answer.status_code == 303, answer.text
    at, _, fragment = answer.headers["location"].partition("#")
    return {"at": at, **{name: values[0] for name, values in parse_qs(fragment).items()}}


@pytest.fixture
def browser(hortus: Hortus) -> Browser:
    return Browser(hortus)
