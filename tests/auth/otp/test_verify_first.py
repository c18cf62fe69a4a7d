"""`SIGN_UP=verify_first`: no answer reveals an account, and accounts are created after verification only."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import text, update
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import PASSWORD, Hortus

from hortus.auth.tables import OneTimeCode
from hortus.core import clock

KNOWN, UNKNOWN, NEW = "known@example.com", "unknown@example.com", "another passphrase of mine 3"
NUMBERS = {True: "+919812345678", False: "+919812345679"}


@pytest.fixture
def server_options() -> dict[str, Any]:
    return {"sign_up": "verify_first", "principal_cache_seconds": 0.0, "trusted_proxies": "127.0.0.1"}


def sign_up(email: str, **more: Any) -> dict[str, Any]:
    return {"email": email, "password": PASSWORD, "accept_terms": True, **more}


async def known(hortus: Hortus, mailbox: Mailbox, email: str = KNOWN) -> httpx2.AsyncClient:
    """A customer who signed up and verified the address."""
    client = hortus.anonymous()
    assert (await client.post("/api/auth/register", json=sign_up(email))).status_code == 202
    body = {"email": email, "code": await mailbox.code(email)}
    answer = await client.post("/api/auth/verify-email", json=body)
    assert answer.status_code == 200, answer.text
    client.tokens = answer.json()
    client.headers["Authorization"] = f"Bearer {client.tokens['access_token']}"
    return client


async def users(hortus: Hortus) -> int:
    async with hortus.database.snapshot() as tx:
        return int((await tx.execute(text("SELECT count(*) FROM users"))).scalar_one())


async def test_a_sign_up_is_completed_with_the_code(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    key = {"Idempotency-Key": "up"}
    body = sign_up("new@example.com", name="Asha", marketing_consent=True)
    first, again = [await client.post("/api/auth/register", json=body, headers=key) for _ in range(2)]
    assert (first.status_code, first.json()["code"]) == (202, "check_your_mail")
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (202, first.json(), "true")
    assert await users(hortus) == 0
    assert PASSWORD not in repr(await _rows(hortus, "SELECT pending FROM one_time_codes"))
    body = {"email": "new@example.com", "code": await mailbox.code("new@example.com")}
    key = {"Idempotency-Key": "first"}
    wrong = {**body, "code": "000000" if body["code"] != "000000" else "111111"}
    assert (await client.post("/api/auth/verify-email", json=wrong)).json()["code"] == "bad_code"
    tokens = (await client.post("/api/auth/verify-email", json=body, headers=key)).json()
    assert (tokens["user"]["email"], tokens["user"]["name"]) == ("new@example.com", "Asha")
    assert tokens["password_required"] is False
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    assert (await client.get("/api/user/identifiers")).json()["items"][0]["verified"] is True
    assert (await client.get("/api/user/consents")).json()["marketing"]["given"] is True
    again = await client.post("/api/auth/verify-email", json=body, headers=key)
    assert (again.status_code, again.json()["code"]) == (409, "already_done")
    assert (await client.post("/api/auth/verify-email", json=body)).json()["code"] == "bad_code"
    login = {"email": "new@example.com", "password": PASSWORD}
    assert (await hortus.anonymous().post("/api/auth/login", json=login)).status_code == 200


async def test_a_known_address_gets_a_mail_that_says_so_and_no_code(hortus: Hortus, mailbox: Mailbox):
    await known(hortus, mailbox)
    mail = await mailbox.arrived(KNOWN, 1)
    assert "sign-up" in mail
    stranger = hortus.anonymous()
    await _forget_pauses(hortus)
    await stranger.post("/api/auth/register", json=sign_up(KNOWN, password=NEW))
    said = await mailbox.arrived(KNOWN, 2)
    assert "already" in said
    assert not any(word.isdigit() and len(word) >= 6 for word in said.split())
    for password, status in ((PASSWORD, 200), (NEW, 401)):
        login = await stranger.post("/api/auth/login", json={"email": KNOWN, "password": password})
        assert login.status_code == status
    assert await users(hortus) == 1


@pytest.mark.parametrize("again", ["at once", "with a second code"])
@pytest.mark.parametrize("passwords", [(PASSWORD, PASSWORD), (PASSWORD, NEW), (PASSWORD, NEW, PASSWORD)])
async def test_a_password_counts_only_where_all_sign_ups_of_an_address_gave_the_same(
    hortus: Hortus, mailbox: Mailbox, passwords: tuple[str, ...], again: str
):
    """One of them may be an attacker's, in the same network as the owner who reads the code."""
    client, answers = hortus.anonymous(), []
    for password in passwords:
        answers.append(await client.post("/api/auth/register", json=sign_up(UNKNOWN, password=password)))
        if again == "with a second code":
            code = await mailbox.code(UNKNOWN, len(answers))
            async with hortus.database.transaction() as tx:  # the pause is over
                await tx.execute(update(OneTimeCode).values(sent_at=clock.now() - timedelta(minutes=2)))
    assert {each.status_code for each in answers} == {202}
    assert len({each.text for each in answers}) == 1
    body = {"email": UNKNOWN, "code": code if again == "with a second code" else await mailbox.code(UNKNOWN)}
    tokens = (await client.post("/api/auth/verify-email", json=body)).json()
    same = len(set(passwords)) == 1
    assert tokens["password_required"] is not same
    for password in set(passwords):
        login = await client.post("/api/auth/login", json={"email": UNKNOWN, "password": password})
        assert login.status_code == (200 if same else 401)


async def test_the_password_of_a_sign_up_from_elsewhere_is_not_taken(hortus: Hortus, mailbox: Mailbox):
    """An attacker signs up with the address of somebody who then types the code that came."""
    attacker, owner = hortus.anonymous(), hortus.anonymous()
    attacker.headers["X-Forwarded-For"], owner.headers["X-Forwarded-For"] = "192.0.2.1", "198.51.100.1"
    await attacker.post("/api/auth/register", json=sign_up(UNKNOWN, name="Mallory"))
    body = {"email": UNKNOWN, "code": await mailbox.code(UNKNOWN)}
    tokens = (await owner.post("/api/auth/verify-email", json=body)).json()
    assert (tokens["password_required"], tokens["user"]["name"]) == (True, None)
    login = await attacker.post("/api/auth/login", json={"email": UNKNOWN, "password": PASSWORD})
    assert login.status_code == 401
    owner.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    assert (await owner.post("/api/auth/change-password", json={"new_password": NEW})).status_code == 200
    login = await owner.post("/api/auth/login", json={"email": UNKNOWN, "password": NEW})
    assert login.status_code == 200


# What tells accounts apart ---------------------------------------------------


def _with(**more: Any):
    """A body for a known and an unknown target; its codes and passwords are wrong."""

    def body(is_known: bool, kind: str) -> dict[str, Any]:
        target = {"email": KNOWN if is_known else UNKNOWN} if kind == "email" else {"mobile_number": NUMBERS[is_known]}
        return {**target, **more}

    return body


BODIES = {
    "register": _with(password=NEW, accept_terms=True),
    "signup": _with(accept_terms=True),
    "send_otp": _with(),
    "verify_otp": _with(code="000000"),
    "verify_email": _with(code="000000"),
    "login": _with(password=NEW),
    "forgot_password": _with(),
    "request_password_reset": _with(),
    "reset_password": _with(code="000000", new_password=NEW),
}
NOT_WALKED = {"setup": "the setup token comes first"}


async def test_no_public_route_tells_known_addresses_from_unknown_ones(hortus: Hortus, mailbox: Mailbox):
    schema = (await hortus.anonymous().get("/openapi.json")).json()
    await known(hortus, mailbox)
    number = hortus.anonymous()
    await number.post("/api/auth/send-otp", json={"mobile_number": NUMBERS[True]})
    body = {"mobile_number": NUMBERS[True], "code": await mailbox.code(NUMBERS[True]), "accept_terms": True}
    assert (await number.post("/api/auth/verify-otp", json=body)).status_code == 200
    await _forget_pauses(hortus)
    walked = 0
    for path, methods in schema["paths"].items():
        operation = methods.get("post", {})
        fields = _fields(schema, operation) & {"email", "mobile_number"}
        if not fields or "x-public" not in operation or operation["operationId"] in NOT_WALKED:
            continue
        name = operation["operationId"]
        assert name in BODIES, f"{path} takes {fields} from anybody: add a body to BODIES in {__file__}"
        for kind in sorted(fields):
            answers = []
            for is_known in (True, False):
                client = hortus.anonymous()
                answer = await client.post(path, json=BODIES[name](is_known, kind))
                answers.append((answer.status_code, _told(answer), sorted(answer.headers)))
            assert answers[0] == answers[1], (path, kind)
            assert answers[0][0] < 500
            walked += 1
            await _forget_pauses(hortus)
    assert walked >= 14


def _told(answer: httpx2.Response) -> Any:
    body = answer.json()
    return {name: value for name, value in body.items() if name != "request_id"}


def _fields(schema: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = content.get("$ref", "").rpartition("/")[2]
    return set(schema["components"]["schemas"].get(name, {}).get("properties", {}))


async def _forget_pauses(hortus: Hortus) -> None:
    """Let codes be asked for again at once."""
    async with hortus.database.transaction() as tx:
        for table in ("one_time_codes", "code_send_counts", "wrong_codes"):
            await tx.execute(text(f"DELETE FROM {table}"))


async def _rows(hortus: Hortus, query: str) -> list[Any]:
    async with hortus.database.snapshot() as tx:
        return list((await tx.execute(text(query))).all())
