"""Through an issuer that others wrote: `oidc-provider`, which is certified by the OpenID Foundation, with its pages.

`npm install oidc-provider` anywhere, and OIDC_PROVIDER_MODULES=/that/folder/node_modules, lets these run.
"""

import asyncio
import json
import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
import time_machine
from sqlalchemy import func, select
from tests.auth.oidc.conftest import FRONT, told
from tests.helpers.server import Hortus, serve

from hortus.accounts.tables import Identifier, User
from hortus.auth.oidc.provider import KEY_REFETCH_INTERVAL

MODULES = os.environ.get("OIDC_PROVIDER_MODULES", "")
SECRET = "a secret: with & signs, 100% + ~"
PEOPLE = {
    "asha": {"email": "asha@example.com", "email_verified": True, "name": "Asha Rao"},
    "ravi": {"email": "ravi@example.com", "email_verified": False, "name": "Ravi"},
}

pytestmark = pytest.mark.skipif(
    not (shutil.which("node") and (Path(MODULES) / "oidc-provider").is_dir() and MODULES),
    reason="LOUD: no node, or OIDC_PROVIDER_MODULES names no folder with oidc-provider: no issuer but our own was met",
)


class Issuer:
    """The other's server."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.url = ""
        self._client: dict[str, Any] = {}

    async def serve(self, alg: str = "RS256", **client: Any) -> None:
        """Start anew with fresh keys and one client, ours; what is not said of it stays as it was."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._client |= {"client_id": "hortus", "id_token_signed_response_alg": alg, **client}
        said = {"clients": [self._client], "accounts": PEOPLE, "alg": alg}
        self._process.stdin.write(json.dumps(said).encode() + b"\n")
        async with asyncio.timeout(30):
            self.url = (await self._process.stdout.readline()).decode().strip()
        assert self.url, "the issuer did not start"


@asynccontextmanager
async def started() -> AsyncIterator[Issuer]:
    script = Path(__file__).with_name("real_provider.mjs")
    process = await asyncio.create_subprocess_exec(
        "node", str(script), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, env={**os.environ, "OIDC_PROVIDER_MODULES": str(Path(MODULES).resolve())},
    )  # fmt: skip
    try:
        yield Issuer(process)
    finally:
        process.kill()
        await process.communicate()


@pytest.fixture
async def issuer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Issuer]:
    async with started() as real:
        await real.serve(client_secret=SECRET, redirect_uris=["http://127.0.0.1:1/not-known-yet"])
        monkeypatch.setenv("OIDC_HOUSE_ISSUER", real.url)
        monkeypatch.setenv("OIDC_HOUSE_CLIENT_ID", "hortus")
        monkeypatch.setenv("OIDC_HOUSE_CLIENT_SECRET", SECRET)
        yield real


@pytest.fixture
async def hortus(database_url: str, tmp_path: Path, issuer: Issuer) -> AsyncIterator[Hortus]:
    async with ready(database_url, tmp_path, issuer) as running:
        yield running


@asynccontextmanager
async def ready(database_url: str, folder: Path, issuer: Issuer) -> AsyncIterator[Hortus]:
    async with serve(database_url, folder, knows_its_port=True, frontend_base_url=FRONT) as running:
        await issuer.serve(redirect_uris=[f"{running.url}/api/auth/oidc/house/callback"])
        yield running


class Person:
    """A browser that goes wherever it is sent, and what somebody does on the pages it meets."""

    def __init__(self, hortus: Hortus, login: str = "asha", cancels: bool = False) -> None:
        self.client, self.login, self.cancels = hortus.anonymous(), login, cancels
        self.pages: list[str] = []
        """What it was asked for: `login`, `consent`."""

    async def code(self) -> dict[str, str]:
        """What the front end is told at the end."""
        answer = await self.client.get("/api/auth/oidc/house", params={"accept_terms": "true"})
        for _ in range(20):
            if answer.status_code in (302, 303):
                place = urljoin(str(answer.url), answer.headers["location"])
                if place.startswith(FRONT):
                    return told(answer)
                answer = await self.client.get(place)
            else:
                answer = await self.act(answer)
        raise AssertionError("sent around in circles")

    async def act(self, page: httpx2.Response) -> httpx2.Response:
        assert page.status_code == 200, page.text
        form = re.search(
            r'<form [^>]*action="([^"]+)" method="post">\s*<input type="hidden" name="prompt" value="(\w+)"', page.text
        )
        assert form is not None, page.text
        self.pages.append(form[2])
        if self.cancels:
            return await self.client.get(f"{form[1]}/abort")
        given = {"prompt": form[2], "login": self.login, "password": "anything"}
        return await self.client.post(form[1], data=given)

    async def sign_in(self) -> dict[str, Any]:
        """The tokens."""
        said = await self.code()
        answer = await self.client.post("/api/auth/oidc/exchange", json={"code": said["oidc_code"]})
        assert answer.status_code == 200, answer.text
        return answer.json()


async def test_a_user_signs_in_consents_and_returns(hortus: Hortus):
    person = Person(hortus)
    tokens = await person.sign_in()
    assert person.pages == ["login", "consent"]
    # The address stands in userinfo only, as the standard wants it where a code is traded.
    assert (tokens["user"]["email"], tokens["user"]["name"]) == ("asha@example.com", "Asha Rao")
    me = await person.client.get("/api/user/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.status_code == 200
    again = await person.sign_in()  # the issuer still knows this browser and asks nothing
    elsewhere = Person(hortus)
    third = await elsewhere.sign_in()
    assert person.pages == ["login", "consent"]
    assert elsewhere.pages[0] == "login"
    assert {each["user"]["id"] for each in (again, third)} == {tokens["user"]["id"]}
    async with hortus.database.snapshot() as tx:
        assert (await tx.execute(select(func.count()).select_from(User))).scalar_one() == 1
        assert (await tx.execute(select(Identifier.verified_at))).scalar_one() is not None


async def test_cancelling_at_the_provider_returns_an_error(hortus: Hortus):
    said = await Person(hortus, cancels=True).code()
    assert said == {"at": f"{FRONT}/", "oidc_error": "oidc_denied"}


async def test_an_address_that_the_issuer_did_not_verify_is_not_kept(hortus: Hortus):
    tokens = await Person(hortus, "ravi").sign_in()
    assert (tokens["user"]["email"], tokens["user"]["name"]) == (None, "Ravi")


# Issuers still write it so, whatever RFC 9864 says.
@pytest.mark.filterwarnings("default:EdDSA is deprecated")
async def test_the_issuer_changes_its_keys_and_how_it_signs(hortus: Hortus, issuer: Issuer):
    first = await Person(hortus).sign_in()
    now = time.time()
    for alg in ("PS256", "ES256", "EdDSA", "Ed25519", "RS256"):
        now += KEY_REFETCH_INTERVAL.total_seconds() + 1
        await issuer.serve(alg)
        with time_machine.travel(now, tick=True):
            assert (await Person(hortus).sign_in())["user"]["id"] == first["user"]["id"], alg


async def test_a_wrong_secret_is_refused_and_the_operator_reads_why(hortus: Hortus, issuer: Issuer, capsys):
    await issuer.serve(client_secret="another")
    assert (await Person(hortus).code())["oidc_error"] == "oidc_refused"
    assert "invalid_client" in capsys.readouterr().out


async def test_a_public_client_has_no_secret(database_url, tmp_path, issuer: Issuer, monkeypatch):
    monkeypatch.delenv("OIDC_HOUSE_CLIENT_SECRET")
    await issuer.serve(token_endpoint_auth_method="none")
    async with ready(database_url, tmp_path, issuer) as hortus:
        assert (await Person(hortus).sign_in())["user"]["email"] == "asha@example.com"
