"""Through an issuer and back: sign up, sign in, once, in one browser, to one place."""

import asyncio
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import func, select, text, update
from tests.auth.oidc.conftest import FRONT, Browser
from tests.emulators.oidc import OidcEmulator
from tests.helpers.server import Hortus

from hortus.accounts.tables import Identifier, Session, User
from hortus.auth.oidc.flows import s256
from hortus.auth.tables import ExternalAccount, OidcFlow
from hortus.main import periodic


async def count(hortus: Hortus, table: type) -> int:
    async with hortus.database.snapshot() as tx:
        return (await tx.execute(select(func.count()).select_from(table))).scalar_one()


async def test_a_stranger_signs_up_and_comes_back(hortus: Hortus, browser: Browser, issuer: OidcEmulator):
    url = await browser.start(return_to="/rooms?tab=1", accept_terms="true")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert asked["redirect_uri"] == f"{hortus.settings.origin}/api/auth/oidc/house/callback"
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert len(asked["code_challenge"]) == 43
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    said = await browser.callback(await browser.consent(url))
    assert said["at"] == f"{FRONT}/rooms?tab=1"
    answer = await browser.exchange(said["oidc_code"])
    tokens = answer.json()
    assert answer.status_code == 200, answer.text
    assert (tokens["user"]["email"], tokens["user"]["name"], tokens["user"]["role"]) == (
        "asha@example.com", "Asha Rao", "user",
    )  # fmt: skip
    assert "hortus-oidc-" not in str(browser.client.cookies)
    me = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await browser.client.get("/api/user/me", headers=me)).json()["usage"]["credits"]["balance"] != "0"
    again = await Browser(hortus).sign_in()
    assert again["user"]["id"] == tokens["user"]["id"]
    assert await count(hortus, User) == 1
    async with hortus.database.snapshot() as tx:
        user, session = (await tx.execute(select(User))).scalar_one(), (await tx.execute(select(Session))).scalars()
        assert user.terms_accepted_at is not None
        assert user.password_hash is None
        assert {each.authenticated_by for each in session} == {"oidc"}
        assert (await tx.execute(select(Identifier.verified_at))).scalar_one() is not None


async def test_the_list_says_where_to_go(hortus: Hortus):
    listed = (await hortus.anonymous().get("/api/auth/oidc")).json()
    start = f"{hortus.settings.origin}/api/auth/oidc/house"
    assert listed == {"items": [{"id": "house", "title": "House", "start_url": start}], "next_cursor": None}


async def test_what_is_kept_is_of_no_use_to_a_reader(hortus: Hortus, browser: Browser):
    url = await browser.start()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    said = await browser.callback(await browser.consent(url))
    async with hortus.database.snapshot() as tx:
        kept = str((await tx.execute(text("SELECT * FROM oidc_flows"))).all())
    secret = next(iter(browser.client.cookies.values()))
    for each in (asked["state"], asked["nonce"], asked["code_challenge"], secret, said["oidc_code"]):
        assert each not in kept


async def test_an_unknown_provider_and_invalid_requests(hortus: Hortus):
    client = hortus.anonymous()
    assert (await client.get("/api/auth/oidc/nobody")).json()["code"] == "oidc_provider_not_found"
    assert (await client.get("/api/auth/oidc/nobody/callback?state=a&code=b")).status_code == 404
    for return_to in (
        "//evil.example.com", "https://evil.example.com", "/\\evil.example.com", "/\tevil", "/a#b", "evil",
        "/%0d%0a\r\n", "", "/" + "a" * 400, "@evil.example.com", "/ü",
    ):  # fmt: skip
        answer = await client.get("/api/auth/oidc/house", params={"return_to": return_to})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), return_to
    assert (await client.get("/api/auth/oidc/house", params={"challenge": "short"})).status_code == 422


async def test_a_callback_belongs_to_the_browser_that_began_and_comes_once(hortus: Hortus, browser: Browser):
    path = await browser.consent(await browser.start())
    stranger = Browser(hortus)
    for other in (stranger, Browser(hortus)):
        answer = await other.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "oidc_state_invalid")
        await stranger.start()  # the next has a cookie, of another sign-in
    forged = path.replace("state=", "state=x")
    assert (await browser.client.get(forged)).json()["code"] == "oidc_state_invalid"
    assert "oidc_code" in await browser.callback(path)
    again = await browser.client.get(path)
    assert (again.status_code, again.json()["code"]) == (403, "oidc_state_invalid")


async def test_a_state_runs_out(hortus: Hortus, browser: Browser):
    path = await browser.consent(await browser.start())
    async with hortus.database.transaction() as tx:
        await tx.execute(update(OidcFlow).values(expires_at=OidcFlow.created_at))
    assert (await browser.client.get(path)).json()["code"] == "oidc_state_invalid"
    await periodic.sweep(hortus.resources, None)
    assert await count(hortus, OidcFlow) == 0


async def test_many_callbacks_with_one_state_give_one_session(hortus: Hortus, browser: Browser):
    path = await browser.consent(await browser.start())
    answers = await asyncio.gather(*(browser.client.get(path) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [303] + [403] * 7
    code = (
        next(answer for answer in answers if answer.status_code == 303).headers["location"].partition("oidc_code=")[2]
    )
    traded = await asyncio.gather(*(browser.exchange(code) for _ in range(8)))
    assert sorted(answer.status_code for answer in traded) == [200] + [401] * 7
    assert {answer.json().get("code") for answer in traded} == {None, "bad_exchange_code"}
    assert (await count(hortus, User), await count(hortus, Session), await count(hortus, ExternalAccount)) == (1, 1, 1)


async def test_many_first_sign_ins_at_once_make_one_user(hortus: Hortus):
    tokens = await asyncio.gather(*(Browser(hortus).sign_in() for _ in range(6)))
    assert len({each["user"]["id"] for each in tokens}) == 1
    assert (await count(hortus, User), await count(hortus, Session)) == (1, 6)


async def test_a_code_is_traded_where_the_sign_in_was_begun(hortus: Hortus, browser: Browser):
    said = await browser.code()
    victim = Browser(hortus)
    for attempt in (said["oidc_code"], said["oidc_code"] + "x", "\u00fc"):
        answer = await victim.exchange(attempt)
        assert (answer.status_code, answer.json()["code"]) == (401, "bad_exchange_code")
    assert (await browser.exchange(said["oidc_code"], verifier="v" * 43)).status_code == 200


async def test_a_front_end_on_another_site_has_a_verifier_in_place_of_a_cookie(hortus: Hortus, browser: Browser):
    verifier = "w" * 50
    said = await browser.code(challenge=s256(verifier))
    assert (await browser.exchange(said["oidc_code"])).status_code == 401  # the cookie is not enough now
    elsewhere = Browser(hortus)
    assert (await elsewhere.exchange(said["oidc_code"], verifier="x" * 50)).status_code == 401
    assert (await elsewhere.exchange(said["oidc_code"], verifier=verifier)).status_code == 200


async def test_an_exchange_code_runs_out(hortus: Hortus, browser: Browser):
    said = await browser.code()
    async with hortus.database.transaction() as tx:
        await tx.execute(update(OidcFlow).values(expires_at=OidcFlow.created_at))
    assert (await browser.exchange(said["oidc_code"])).status_code == 401


async def test_a_refusal_at_the_issuer_is_told_and_nothing_of_its_words(browser: Browser, issuer: OidcEmulator):
    issuer.denies = True
    said = await browser.code(return_to="/in")
    assert said == {"at": f"{FRONT}/in", "oidc_error": "oidc_denied"}
    assert not browser.client.cookies


async def test_the_cookie_is_bound_to_this_host_over_https(database_url, tmp_path, issuer):
    from tests.helpers.server import serve

    async with serve(database_url, tmp_path, public_url="https://api.example.com") as running:
        answer = await running.anonymous().get("/api/auth/oidc/house")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-hortus-oidc-")
        for word in ("HttpOnly", "Secure", "Path=/", "SameSite=lax", "Max-Age=600"):
            assert word in cookie
        assert (
            "redirect_uri=https%3A%2F%2Fapi.example.com%2Fapi%2Fauth%2Foidc%2Fhouse%2Fcallback"
            in answer.headers["location"]
        )
        host = {"Host": "evil.example.com", "X-Forwarded-Host": "evil.example.com"}
        lured = await running.anonymous().get("/api/auth/oidc/house", headers=host)
        assert "evil.example.com" not in lured.headers.get("location", "")  # refused, or not lured


async def test_a_second_factor_is_asked_for(hortus: Hortus, browser: Browser):
    tokens = await browser.sign_in()
    from hortus.auth.tables import TotpFactor
    from hortus.core import clock

    row = TotpFactor(
        user_id=tokens["user"]["id"], sealed="x", created_at=clock.now(), confirmed_at=clock.now(), failures=0
    )
    async with hortus.database.transaction() as tx:
        tx.add(row)
        await tx.flush()
    gate = await Browser(hortus).sign_in()
    assert "access_token" not in gate
    assert gate["challenge"]
    assert await count(hortus, Session) == 1


async def test_a_suspended_user_does_not_get_in(hortus: Hortus, browser: Browser):
    tokens = await browser.sign_in()
    said = await browser.code()
    async with hortus.database.transaction() as tx:
        await tx.execute(update(User).where(User.id == tokens["user"]["id"]).values(status="suspended"))
    assert (await browser.exchange(said["oidc_code"])).json()["code"] == "account_suspended"
    assert (await browser.code())["oidc_error"] == "account_suspended"
    assert await count(hortus, Session) == 1
