"""Passkeys in a real Chromium, with its virtual authenticator; the loudest skip where there is none.

`CHROMIUM` names the browser's program where it is not on the path.
"""

import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright
from tests.auth.passkeys.authenticator import ORIGIN, asked, send
from tests.helpers.programs import skip_without
from tests.helpers.server import Hortus

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
CREATE = """async options => (await navigator.credentials.create(
    {publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options)})).toJSON()"""
GET = """async options => (await navigator.credentials.get(
    {publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options)})).toJSON()"""


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """An empty page of the site, on a device with one authenticator."""
    if CHROMIUM is None:
        skip_without("Chromium", "passkeys in a browser")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        page = await browser.new_page()
        await page.route("**/*", lambda route: route.fulfill(body="<title>Hortus</title>", content_type="text/html"))
        await page.goto(ORIGIN)
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        yield page
        await browser.close()


async def test_a_browser_makes_a_passkey_and_signs_in_with_it(page: Page, hortus: Hortus):
    client, visitor = await hortus.customer(), hortus.anonymous()
    made: dict[str, Any] = await page.evaluate(CREATE, await asked(client, "register"))
    kept = await send(client, "register", made, name="Chromium")
    assert (kept.status_code, kept.json()["name"]) == (201, "Chromium")
    for _ in range(2):
        signed = await page.evaluate(GET, await asked(visitor, "login"))
        answer = await send(visitor, "login", signed)
        assert answer.json()["user"]["id"] == client.tokens["user"]["id"]
    assert (await send(visitor, "login", signed)).status_code == 401
    signed = await page.evaluate(GET, await asked(client, "reauthenticate"))
    assert (await send(client, "reauthenticate", signed)).json()["method"] == "passkey"
