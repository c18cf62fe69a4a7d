"""External accounts: linked by e-mail or by their owner, and disconnected except the last credential."""

import asyncio

import httpx2
import pytest
from sqlalchemy import delete, func, select, update
from tests.auth.oidc.conftest import Browser
from tests.emulators.oidc import OidcEmulator
from tests.helpers.server import Hortus, serve

from hortus.accounts.tables import Identifier, Session, User
from hortus.admin.audit.tables import AuditEvent
from hortus.auth.tables import ExternalAccount
from hortus.core import clock

ASHA = "asha@example.com"


async def verified(hortus: Hortus, email: str = ASHA) -> httpx2.AsyncClient:
    client = await hortus.customer(email)
    async with hortus.database.transaction() as tx:
        await tx.execute(update(Identifier).where(Identifier.value == email).values(verified_at=clock.now()))
    return client


async def role_of(hortus: Hortus, user_id: str) -> str:
    async with hortus.database.snapshot() as tx:
        return (await tx.execute(select(User.role).where(User.id == user_id))).scalar_one()


async def set_role(hortus: Hortus, user_id: str, role: str) -> None:
    async with hortus.database.transaction() as tx:
        await tx.execute(update(User).where(User.id == user_id).values(role=role))


def browser_of(hortus: Hortus, client: httpx2.AsyncClient) -> Browser:
    browser = Browser(hortus)
    browser.client = client
    return browser


async def link_code(browser: Browser) -> str:
    answer = await browser.client.post("/api/user/external-accounts/house/link", json={"return_to": "/settings"})
    assert answer.status_code == 200, answer.text
    said = await browser.callback(await browser.consent(answer.json()["authorize_url"]))
    assert said["at"].endswith("/settings")
    return said["oidc_link_code"]


async def test_an_address_verified_on_both_sides_connects(hortus: Hortus, browser: Browser):
    owner = await verified(hortus)
    tokens = await browser.sign_in()
    assert tokens["user"]["id"] == owner.tokens["user"]["id"]
    assert (await owner.get("/api/user/me")).status_code == 200


async def test_an_unverified_sign_up_with_a_foreign_address_loses_access(hortus: Hortus, browser: Browser):
    squatter = await hortus.customer(ASHA)
    tokens = await browser.sign_in()
    assert tokens["user"]["email"] == ASHA
    assert (await squatter.get("/api/user/me")).status_code == 401
    async with hortus.database.snapshot() as tx:
        row = (await tx.execute(select(User).where(User.id == tokens["user"]["id"]))).scalar_one()
        assert row.password_hash is None


async def test_an_unverified_address_moves_to_its_verified_owner(hortus: Hortus, browser: Browser):
    other = await verified(hortus, "other@example.com")
    async with hortus.database.transaction() as tx:
        row = {"user_id": other.tokens["user"]["id"], "kind": "email", "value": ASHA, "created_at": clock.now()}
        tx.add(Identifier(id="0" * 36, **row))
        await tx.flush()
    tokens = await browser.sign_in()
    assert tokens["user"]["id"] != other.tokens["user"]["id"]
    assert tokens["user"]["email"] == ASHA
    assert (await other.get("/api/user/me")).json()["email"] == "other@example.com"


async def test_an_address_that_the_issuer_did_not_verify_connects_nothing(
    hortus: Hortus, browser: Browser, issuer: OidcEmulator
):
    owner = await verified(hortus)
    for said in (False, None, "false", 1, "yes"):
        issuer.claims = {"email_verified": said, "sub": f"mallory-{said}"}
        tokens = await browser.sign_in()
        assert tokens["user"]["email"] is None
        assert tokens["user"]["id"] != owner.tokens["user"]["id"]


async def test_staff_are_not_reached_by_an_address_they_only_typed(hortus: Hortus, browser: Browser):
    admin = await hortus.customer(ASHA)
    await set_role(hortus, admin.tokens["user"]["id"], "admin")
    assert (await browser.code())["oidc_error"] == "link_required"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_rules_of_the_operator(database_url, tmp_path, issuer: OidcEmulator, monkeypatch):
    monkeypatch.setenv("OIDC_HOUSE_LINK_BY_EMAIL", "false")
    monkeypatch.setenv("OIDC_HOUSE_SIGNUP", "false")
    async with serve(database_url, tmp_path) as hortus:
        await verified(hortus)
        assert (await Browser(hortus).code())["oidc_error"] == "link_required"
        issuer.claims = {"email": "new@example.com"}
        assert (await Browser(hortus).code())["oidc_error"] == "oidc_signup_closed"


async def test_an_owner_connects_and_disconnects(
    hortus: Hortus, issuer: OidcEmulator, capsys: pytest.CaptureFixture[str]
):
    owner = await hortus.customer("elsewhere@example.com")
    browser = browser_of(hortus, owner)
    code = await link_code(browser)
    assert (await browser.exchange(code)).status_code == 401  # it links, it does not sign in
    answer = await owner.post("/api/user/external-accounts", json={"code": code})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["provider"], made["issuer"], made["email"]) == ("house", issuer.url, ASHA)
    assert (await owner.post("/api/user/external-accounts", json={"code": code})).status_code == 401
    assert (await owner.get("/api/user/external-accounts")).json() == {"items": [made], "next_cursor": None}
    assert (await Browser(hortus).sign_in())["user"]["id"] == owner.tokens["user"]["id"]
    again = await owner.post("/api/user/external-accounts", json={"code": await link_code(browser)})
    assert again.json()["id"] == made["id"]
    stranger = await hortus.customer()
    assert (await stranger.delete(f"/api/user/external-accounts/{made['id']}")).status_code == 404
    taken = {"code": await link_code(browser_of(hortus, stranger))}
    refused = await stranger.post("/api/user/external-accounts", json=taken)
    assert (refused.status_code, refused.json()["code"]) == (409, "external_account_taken")
    assert (await owner.delete(f"/api/user/external-accounts/{made['id']}")).status_code == 204
    assert (await owner.delete(f"/api/user/external-accounts/{made['id']}")).status_code == 404
    printed = ""
    async with asyncio.timeout(10):  # the owner is told of both, once
        while f"{ASHA} at 127.0.0.1 no longer signs in" not in printed:
            printed += capsys.readouterr().out
            await asyncio.sleep(0.05)
    assert printed.count(f"From now on {ASHA} at 127.0.0.1 also signs in") == 1
    assert "mail to elsewhere@example.com" in printed


async def test_a_link_belongs_to_the_session_that_began_it(hortus: Hortus):
    attacker, victim = await hortus.customer(), await hortus.customer()
    code = await link_code(browser_of(hortus, attacker))
    victim.cookies.update(attacker.cookies)
    answer = await victim.post("/api/user/external-accounts", json={"code": code})
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_exchange_code")


async def test_linking_requires_step_up(hortus: Hortus):
    owner = await hortus.customer()
    async with hortus.database.transaction() as tx:
        await tx.execute(update(Session).values(authenticated_at=clock.EPOCH))
    answer = await owner.post("/api/user/external-accounts/house/link", json={})
    assert answer.json()["code"] == "reauthentication_required"


async def test_concurrent_removals_keep_the_last_credential(hortus: Hortus, browser: Browser):
    tokens = await browser.sign_in()
    user_id, now = tokens["user"]["id"], clock.now()
    browser.client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    async with hortus.database.transaction() as tx:
        await tx.execute(delete(Identifier).where(Identifier.user_id == user_id))
        issuer = (await tx.execute(select(ExternalAccount.issuer))).scalar_one()
        for number in range(5):
            tx.add(
                ExternalAccount(
                    id=f"{number}" * 8 + "-0000-7000-8000-000000000000",
                    user_id=user_id,
                    issuer=issuer if number else "https://gone.example.com",  # not configured any more: cannot sign in
                    subject=f"s{number}",
                    created_at=now,
                    last_used_at=now,
                )
            )
        await tx.flush()
        listed = (await tx.execute(select(ExternalAccount.id).where(ExternalAccount.issuer == issuer))).scalars().all()
    assert len(listed) == 5
    answers = await asyncio.gather(*(browser.client.delete(f"/api/user/external-accounts/{each}") for each in listed))
    assert sorted(answer.status_code for answer in answers) == [204] * 4 + [409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"last_credential"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_claim_gives_a_role_and_takes_back_only_what_it_gave(database_url, tmp_path, issuer, monkeypatch):
    monkeypatch.setenv("OIDC_HOUSE_ROLE_CLAIM", "realm.groups")
    monkeypatch.setenv("OIDC_HOUSE_ROLES", '{"operators": "admin", "desk": "support"}')
    async with serve(database_url, tmp_path) as hortus:
        other = await hortus.customer()
        await set_role(hortus, other.tokens["user"]["id"], "admin")
        user_id = (await Browser(hortus).sign_in())["user"]["id"]

        async def after(groups: object) -> str:
            issuer.claims = {"realm": {"groups": groups}}
            await Browser(hortus).sign_in()
            return await role_of(hortus, user_id)

        assert await after(["desk", "unknown", 7]) == "support"
        assert await after(["desk", "operators"]) == "admin"
        assert await after("desk") == "support"
        assert await after(None) == "user"
        assert await after({"operators": 1}) == "user"
        await set_role(hortus, user_id, "admin")  # by an administrator, not by the claim
        assert await after([]) == "admin"
        assert await after(["operators"]) == "admin"
        assert await after([]) == "admin"
        await set_role(hortus, user_id, "user")
        assert await after(["operators"]) == "admin"
        await set_role(hortus, other.tokens["user"]["id"], "user")
        assert await after([]) == "admin"  # the last administrator stays one
        async with hortus.database.snapshot() as tx:
            logged = select(func.count()).where(
                AuditEvent.action == "user.role_by_issuer", AuditEvent.target_id == user_id
            )
            assert (await tx.execute(logged)).scalar_one() == 5
