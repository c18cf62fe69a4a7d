"""Many people behind one address: what each of them does right never counts against the others."""

import asyncio
from pathlib import Path

import pytest
from tests.arch.test_routes import ALL
from tests.helpers.server import PASSWORD, Hortus, serve

COUNTS_EVERY_CALL = {
    # They create or send something each time, so each call counts; these limits bound what one address can make.
    "/api/auth/register": "register", "/api/auth/signup": "signup", "/api/auth/send-otp": "send_otp",
    "/api/auth/passkey/login/options": "passkey_options", "/api/auth/oidc/{provider}": "oidc",
    "/api/auth/reset-password": "reset_password_requests",
    "/api/user/data-export/{export_id}/archive": "data_export_download",
}  # fmt: skip
COUNTS_FAILURES = {
    "/api/auth/login", "/api/auth/setup", "/api/auth/refresh", "/api/auth/verify-otp", "/api/auth/verify-email",
    "/api/auth/totp/verify", "/api/auth/passkey/login", "/api/auth/oidc/{provider}/callback", "/api/auth/oidc/exchange",
}  # fmt: skip


def limits_of(route) -> set[str]:
    """Which kinds of limits by network address hold for a route."""
    found = {getattr(each.dependency, "__qualname__", "").split(".")[0] for each in route.dependencies}
    return found & {"rate_limit", "rate_limit_failures"}


def test_every_route_limited_by_address_is_known_here():
    assert {route.path for route in ALL if "rate_limit_failures" in limits_of(route)} == COUNTS_FAILURES
    assert {route.path for route in ALL if "rate_limit" in limits_of(route)} <= set(COUNTS_EVERY_CALL)


@pytest.fixture
async def office(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch):
    """A server with its limits as they are delivered, but for signing up; everybody comes from one address."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'office.db'}"
    (tmp_path / "office.db").write_bytes(sqlite_template.read_bytes())
    limits = {"register": "1000/minute"}
    async with serve(url, tmp_path, rate_limits_enabled=True, rate_limits=limits) as hortus:
        yield hortus


async def test_an_office_signs_in_from_one_address(office: Hortus):
    people = [f"colleague{number}@example.com" for number in range(30)]
    for email in people:
        await office.customer(email)
    client = office.anonymous()

    async def sign_in(email: str) -> int:
        return (await client.post("/api/auth/login", json={"email": email, "password": PASSWORD})).status_code

    assert {await sign_in(email) for email in people[:15]} == {200}
    assert set(await asyncio.gather(*map(sign_in, people))) == {200}


async def test_wrong_passwords_from_one_address_are_refused_after_ten_a_minute(office: Hortus):
    client = office.anonymous()
    await office.customer("asha@example.com")
    for _ in range(3):
        good = {"email": "asha@example.com", "password": PASSWORD}
        assert (await client.post("/api/auth/login", json=good)).status_code == 200
    answers = [
        await client.post("/api/auth/login", json={"email": f"nobody{number}@example.com", "password": "x" * 9})
        for number in range(11)
    ]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert answers[-1].json()["limit"] == "login"
    assert 0 < answers[-1].json()["retry_after"] <= 60


async def test_an_office_refreshes_from_one_address(office: Hortus):
    people = [await office.customer() for _ in range(10)]
    client = office.anonymous()
    tokens = [person.tokens["refresh_token"] for person in people]
    for _ in range(7):  # seventy of them
        answers = await asyncio.gather(
            *(client.post("/api/auth/refresh", json={"refresh_token": token}) for token in tokens)
        )
        assert {answer.status_code for answer in answers} == {200}
        tokens = [answer.json()["refresh_token"] for answer in answers]
    wrong = [await client.post("/api/auth/refresh", json={"refresh_token": f"wrong{n}"}) for n in range(61)]
    assert [answer.status_code for answer in wrong] == [401] * 60 + [429]


async def test_one_who_refreshes_without_end_is_stopped_alone(office: Hortus):
    busy, calm = await office.customer(), await office.customer()
    client, token, statuses = office.anonymous(), busy.tokens["refresh_token"], []
    for _ in range(31):
        answer = await client.post("/api/auth/refresh", json={"refresh_token": token})
        statuses.append(answer.status_code)
        token = answer.json().get("refresh_token", token)
    assert statuses == [200] * 30 + [429]
    other = await client.post("/api/auth/refresh", json={"refresh_token": calm.tokens["refresh_token"]})
    assert other.status_code == 200


async def test_a_colleagues_wrong_codes_do_not_keep_others_from_resetting(office: Hortus):
    client = office.anonymous()
    wrong = {"code": "000000", "new_password": "quite another passphrase 9"}
    statuses = [
        (await client.post("/api/auth/reset-password", json={"email": "clumsy@example.com", **wrong})).status_code
        for _ in range(4)
    ]
    assert statuses == [401, 401, 401, 429]
    other = await client.post("/api/auth/reset-password", json={"email": "other@example.com", **wrong})
    assert other.status_code == 401
