"""Consent is on record from every way to sign up, with the text it was about; a change is recorded too."""

from collections.abc import AsyncIterator

import pytest
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import PASSWORD, Hortus
from tests.privacy.conftest import EMAIL, MOBILE

PATH = "/api/user/consents"


@pytest.fixture
async def customer(hortus: Hortus, mailbox: Mailbox) -> AsyncIterator:
    return await hortus.customer(EMAIL)


async def test_signing_up_by_mail(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    body = {"email": EMAIL, "password": PASSWORD, "accept_terms": True, "marketing_consent": True}
    tokens = (await client.post("/api/auth/register", json=body)).json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    found = (await client.get(PATH)).json()
    assert (found["terms"]["given"], found["terms"]["version"], found["terms"]["current_version"]) == (True, "1", "1")
    assert found["marketing"]["given"] is True
    records = (await client.get(f"{PATH}/history")).json()["items"]
    assert {(each["kind"], each["source"], each["network"]) for each in records} == {
        ("terms", "sign_up", "127.0.0.0/24"),
        ("marketing", "sign_up", "127.0.0.0/24"),
    }


async def test_signing_up_by_mobile(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    body = {"mobile_number": MOBILE, "accept_terms": True, "marketing_consent": True}
    assert (await client.post("/api/auth/signup", json=body)).status_code == 201
    code = {"mobile_number": MOBILE, "code": await mailbox.code(MOBILE)}
    tokens = (await client.post("/api/auth/verify-otp", json=code)).json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    found = (await client.get(PATH)).json()
    assert (found["terms"]["given"], found["marketing"]["given"]) == (True, True)
    assert {each["network"] for each in (await client.get(f"{PATH}/history")).json()["items"]} == {"127.0.0.0/24"}


async def test_a_sign_up_by_code_gives_no_consent_by_default(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    await client.post("/api/auth/send-otp", json={"mobile_number": MOBILE})
    code = {"mobile_number": MOBILE, "code": await mailbox.code(MOBILE), "accept_terms": True}
    tokens = (await client.post("/api/auth/verify-otp", json=code)).json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    found = (await client.get(PATH)).json()
    assert (found["terms"]["given"], found["marketing"]["given"]) == (True, False)
    assert found["marketing"]["said_at"] is None


async def test_changes_go_on_record(hortus: Hortus, customer, monkeypatch: pytest.MonkeyPatch):
    assert (await customer.put(PATH, json={"marketing": True})).json()["marketing"]["given"] is True
    assert (await customer.put("/api/user/profile", json={"marketing_consent": False})).status_code == 200
    monkeypatch.setenv("TERMS_VERSION", "2026-12")
    hortus.reread()
    stale = (await customer.get(PATH)).json()["terms"]
    assert (stale["version"], stale["current_version"]) == ("1", "2026-12")
    fresh = (await customer.put(PATH, json={"terms": True})).json()["terms"]
    assert (fresh["version"], fresh["current_version"]) == ("2026-12", "2026-12")
    records = (await customer.get(f"{PATH}/history")).json()["items"]
    assert [(each["kind"], each["given"], each["source"]) for each in records] == [
        ("terms", True, "change"),
        ("marketing", False, "change"),
        ("marketing", True, "change"),
        ("terms", True, "sign_up"),
    ]
    page = (await customer.get(f"{PATH}/history", params={"limit": 1})).json()
    assert (len(page["items"]), page["next_cursor"] is not None) == (1, True)
    assert (await customer.put(PATH, json={"terms": False})).status_code == 422
    assert (await customer.put(PATH, json={"other": True})).status_code == 422
