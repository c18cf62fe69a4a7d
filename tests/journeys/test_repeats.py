"""Every route that takes an `Idempotency-Key`, repeated: by its caller, another session, another user, and after the
password was changed, the account suspended or closed, the role taken away, or the thing removed.

**You added a route that takes the header and this test failed?** Add a `Case` to `CASES`, by operation id:

- `Case(prepare)`: the first response is replayed, marked `Idempotency-Replayed`.
- `Case(prepare, once=True)`: the response contains credentials (its schema has `x-credential`); every repeat gets 409
  `already_done`.
- `remove=`: how the caller removes the object that the response names; a repeat is 404 then. Omit it where the object
  cannot be removed.

`prepare(world, client)` creates what the route needs and returns the request, with `other`: another valid body.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from tests.auth.mfa.authenticator_app import App, first_step, set_up
from tests.auth.oidc.conftest import Browser
from tests.auth.passkeys.authenticator import ORIGIN, Authenticator, asked, make_passkey
from tests.billing.conftest import buy, press, quiet
from tests.emulators.oidc import OidcEmulator
from tests.emulators.openai import OpenAIEmulator
from tests.files.draw import make_image
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import PASSWORD, Hortus, ended, serve

from hortus import accounts, auth
from hortus.accounts import sessions
from hortus.accounts.users import set_password_hash
from hortus.core import ids

KEY, NEW = {"Idempotency-Key": "again"}, "quite another passphrase 8"
CREDENTIALS = {
    "access_token",
    "refresh_token",
    "secret",
    "otpauth_uri",
    "recovery_codes",
    "challenge",
    "password_reset_token",
}
WHY = {"reason": "The walk asks"}
Client = httpx2.AsyncClient


@dataclass
class World:
    """The server, its mailbox and its administrator."""

    hortus: Hortus
    vendor: OpenAIEmulator
    mailbox: Mailbox
    admin: Client

    async def sql(self, statement: str, **values: Any) -> None:
        async with self.hortus.database.transaction() as tx:
            await tx.execute(text(statement), values)


@dataclass(frozen=True)
class Sent:
    """A request: what to send, another good body, and whose account it opens where nobody is signed in."""

    path: str
    json: Any = None
    other: Any = None
    files: Any = None
    client: Client | None = None
    user_id: str | None = None
    key: str = field(default_factory=ids.new)


@dataclass(frozen=True)
class Case:
    prepare: Callable[[World, Client], Awaitable[Sent]]
    once: bool = False
    remove: Callable[[World, Client, Sent, dict[str, Any]], Awaitable[httpx2.Response]] | None = None
    anew: bool = False
    """Whether the answer shows the thing as it is at the repetition."""


# Without sign-in -------------------------------------------------------------


async def _register(world: World, _client: Client) -> Sent:
    body = {"email": f"{ids.new()}@example.com", "password": PASSWORD, "accept_terms": True}
    return Sent("/api/auth/register", body, {**body, "name": "Other"})


async def _setup(world: World, _client: Client) -> Sent:
    async with world.hortus.database.transaction() as tx:
        token = await accounts.create_setup_token(tx)
    body = {"token": token, "email": f"{ids.new()}@example.com", "password": PASSWORD}
    return Sent("/api/auth/setup", body, {**body, "name": "Other"})


async def _login(world: World, _client: Client) -> Sent:
    bodies = []
    for _ in range(2):
        known = await world.hortus.customer()
        bodies.append({"email": known.tokens["user"]["email"], "password": PASSWORD})
    return Sent("/api/auth/login", *bodies)


async def _refresh(world: World, _client: Client) -> Sent:
    known = [await world.hortus.customer() for _ in range(2)]
    bodies = [{"refresh_token": each.tokens["refresh_token"]} for each in known]
    return Sent("/api/auth/refresh", *bodies, user_id=known[0].tokens["user"]["id"])


async def _verify_otp(world: World, _client: Client) -> Sent:
    email = f"{ids.new()}@example.com"
    assert (await world.hortus.anonymous().post("/api/auth/send-otp", json={"email": email})).status_code == 200
    body = {"email": email, "code": await world.mailbox.code(email), "accept_terms": True}
    return Sent("/api/auth/verify-otp", body, {**body, "name": "Other"})


async def _verify_email(world: World, _client: Client) -> Sent:
    known = await world.hortus.customer()
    token = await world.mailbox.token(known.tokens["user"]["email"])
    user_id = known.tokens["user"]["id"]
    return Sent("/api/auth/verify-email", {"token": token}, {"token": "t" * 43}, user_id=user_id)


async def _totp_verify(world: World, _client: Client) -> Sent:
    known = await world.hortus.customer()
    app = await set_up(known)
    challenge = (await first_step(world.hortus.anonymous(), known.tokens["user"]["email"]))["challenge"]
    bodies = [{"challenge": challenge, "recovery_code": code} for code in app.recovery_codes[:2]]
    return Sent("/api/auth/totp/verify", *bodies)


async def _passkey_login(world: World, _client: Client) -> Sent:
    known, device, visitor = await world.hortus.customer(), Authenticator(), world.hortus.anonymous()
    await make_passkey(known, device)
    bodies = [{"credential": device.get(await asked(visitor, "login"))} for _ in range(2)]
    return Sent("/api/auth/passkey/login", *bodies)


async def _oidc(world: World, _client: Client) -> Sent:
    browser = Browser(world.hortus)
    code = (await browser.code(accept_terms="true"))["oidc_code"]
    return Sent("/api/auth/oidc/exchange", {"code": code}, {"code": code, "verifier": "v" * 43}, client=browser.client)


async def _signup(world: World, _client: Client) -> Sent:
    body = {"mobile_number": "+919876543210", "accept_terms": True}
    return Sent("/api/auth/signup", body, {**body, "name": "Other"})


def _asks_for_code(path: str) -> Callable[[World, Client], Awaitable[Sent]]:
    async def prepare(_world: World, _client: Client) -> Sent:
        return Sent(path, {"email": f"{ids.new()}@example.com"}, {"email": f"{ids.new()}@example.com"})

    return prepare


PUBLIC = {
    "setup": Case(_setup, once=True),
    "register": Case(_register, once=True),
    "login": Case(_login, once=True),
    "refresh": Case(_refresh, once=True),
    "verify_otp": Case(_verify_otp, once=True),
    "verify_email": Case(_verify_email, once=True),
    "totp_verify": Case(_totp_verify, once=True),
    "passkey_login": Case(_passkey_login, once=True),
    "exchange_oidc_code": Case(_oidc, once=True),
    "signup": Case(_signup),
    "send_otp": Case(_asks_for_code("/api/auth/send-otp")),
    "request_password_reset": Case(_asks_for_code("/api/auth/request-password-reset")),
    "forgot_password": Case(_asks_for_code("/api/auth/forgot-password")),
}


# Signed in -------------------------------------------------------------------


def _simple(path: str, json: Any = None, other: Any = None) -> Callable[[World, Client], Awaitable[Sent]]:
    async def prepare(_world: World, _client: Client) -> Sent:
        return Sent(path, json, other)

    return prepare


def _deletes(path: str) -> Callable[[World, Client, Sent, dict[str, Any]], Awaitable[httpx2.Response]]:
    """Removes what an answer names; `path` is filled with fields of the answer."""

    async def remove(_world: World, client: Client, _sent: Sent, answer: dict[str, Any]) -> httpx2.Response:
        return await client.delete(path.format(**answer))

    return remove


async def _delete_room(_world: World, client: Client, sent: Sent, _answer: dict[str, Any]) -> httpx2.Response:
    return await client.delete("/".join(sent.path.split("/")[:4]))


async def _rotate(_world: World, client: Client) -> Sent:
    key_id = (await client.post("/api/keys", json={"name": "ci"})).json()["id"]
    return Sent(f"/api/keys/{key_id}/rotate", {"overlap_hours": 1}, {"overlap_hours": 2})


async def _totp_confirm(_world: World, client: Client) -> Sent:
    secret = (await client.post("/api/auth/totp/setup")).json()["secret"]
    app = App(secret)
    return Sent("/api/auth/totp/confirm", {"code": app.code()}, {"code": app.wrong()})


async def _recovery_codes(_world: World, client: Client) -> Sent:
    await set_up(client)
    return Sent("/api/auth/totp/recovery-codes")


async def _passkey(_world: World, client: Client) -> Sent:
    made = Authenticator().create(await asked(client, "register"))
    body = {"credential": made, "name": "Laptop"}
    return Sent("/api/auth/passkey/register", body, {**body, "name": "Other"})


async def _upload(_world: World, _client: Client) -> Sent:
    files = [{"file": ("cat.jpg", make_image(color=color))} for color in ((1, 2, 3), (90, 2, 3))]
    return Sent("/api/upload/file", files=files[0], other=files[1])


async def _image_edit(_world: World, client: Client) -> Sent:
    answer = await client.post("/api/upload/file", files={"file": ("cat.jpg", make_image())})
    body = {"file_id": answer.json()["id"], "operation": "upscale"}
    return Sent("/api/image/edit", body, {**body, "operation": "enhance"})


def _retry(path: str, kind: str, json: dict[str, Any]) -> Callable[[World, Client], Awaitable[Sent]]:
    async def prepare(world: World, client: Client) -> Sent:
        world.vendor.delay = 30.0
        try:
            made = (await client.post(f"/api/{kind}/generate", json=json)).json()
            assert (await client.post(f"/api/generations/{made['id']}/cancel")).status_code == 200
        finally:
            world.vendor.delay = 0.0
        return Sent(path.format(made["id"]))

    return prepare


async def _room(client: Client) -> str:
    return str((await client.post("/api/chatroom", json={"title": "Mine"})).json()["id"])


async def _message(_world: World, client: Client) -> Sent:
    return Sent(f"/api/chatroom/{await _room(client)}/message", {"content": "Hello"}, {"content": "Other"})


async def _sent_message(client: Client) -> tuple[str, dict[str, Any]]:
    room_id = await _room(client)
    sent = (await client.post(f"/api/chatroom/{room_id}/message", json={"content": "Hello"})).json()
    await ended(client, sent["generation_id"])
    return f"/api/chatroom/{room_id}/message", sent


async def _regenerate(_world: World, client: Client) -> Sent:
    path, sent = await _sent_message(client)
    return Sent(f"{path}/{sent['reply']['id']}/regenerate", {}, {"quality": "economy"})


async def _edit(_world: World, client: Client) -> Sent:
    path, sent = await _sent_message(client)
    return Sent(f"{path}/{sent['message']['id']}", {"content": "Better"}, {"content": "Other"})


async def _redeem(world: World, _client: Client) -> Sent:
    body = {"kind": "credit", "credits": "5", "name": "Gift", "count": 2, "limit_total": 9, **WHY}
    made = (await world.admin.post("/api/admin/coupons", json=body)).json()["items"]
    return Sent("/api/payment/redeem", *({"code": each["code"]} for each in made))


def _subscribed(path: str, json: Any, other: Any = None) -> Callable[[World, Client], Awaitable[Sent]]:
    async def prepare(world: World, client: Client) -> Sent:
        await press(client, await buy(client), "pay")
        await quiet(world.hortus)
        if path.endswith("resume"):
            assert (await client.post("/api/payment/subscription/cancel", json={})).status_code == 200
        return Sent(path, json, other)

    return prepare


OWN = {
    "create_key": Case(_simple("/api/keys", {"name": "ci"}, {"name": "other"}), once=True),
    "rotate_key": Case(_rotate, once=True),
    "totp_setup": Case(_simple("/api/auth/totp/setup"), once=True),
    "totp_confirm": Case(_totp_confirm, once=True),
    "totp_recovery_codes": Case(_recovery_codes, once=True),
    "passkey_register": Case(_passkey, remove=_deletes("/api/auth/passkey/{id}")),
    "add_identifier": Case(
        _simple("/api/user/identifiers", {"email": "more@example.com"}, {"email": "most@example.com"})
    ),
    "upload": Case(_upload, remove=_deletes("/api/upload/file/{id}")),
    "generate_text": Case(
        _simple("/api/text/generate", {"prompt": "Hi"}, {"prompt": "Other"}),
        remove=_deletes("/api/generations/{id}"),
    ),
    "enhance_prompt": Case(
        _simple("/api/prompt/enhance", {"prompt": "Cat", "kind": "image"}, {"prompt": "Dog", "kind": "image"}),
        remove=_deletes("/api/generations/{generation_id}"),
    ),
    "generate_image": Case(
        _simple("/api/image/generate", {"prompt": "Kite"}, {"prompt": "Other"}),
        remove=_deletes("/api/generations/{id}"),
    ),
    "edit_image": Case(_image_edit, remove=_deletes("/api/generations/{id}")),
    "generate_video": Case(
        _simple("/api/video/generate", {"prompt": "A lake"}, {"prompt": "Other"}),
        remove=_deletes("/api/generations/{id}"),
    ),
    "retry": Case(
        _retry("/api/generations/{}/retry", "image", {"prompt": "Kite"}), remove=_deletes("/api/generations/{id}")
    ),
    "video_retry": Case(
        _retry("/api/video/retry/{}", "image", {"prompt": "Kite"}), remove=_deletes("/api/generations/{id}")
    ),
    "create_room": Case(
        _simple("/api/chatroom", {"title": "Mine"}, {"title": "Other"}), remove=_deletes("/api/chatroom/{id}")
    ),
    "send_message": Case(_message, remove=_delete_room),
    "regenerate": Case(_regenerate, remove=_delete_room),
    "edit_message": Case(_edit, remove=_delete_room),
    "redeem": Case(_redeem),
    "subscribe": Case(_simple("/api/payment/subscription", {"plan": "pro"}, {"plan": "pro", "currency": "USD"})),
    "top_up": Case(_simple("/api/payment/topup", {"pack": "small"}, {"pack": "large"})),
    "update_subscription": Case(
        _subscribed(
            "/api/payment/subscription/update",
            {"plan": "pro", "interval": "year", "confirm": True},
            {"plan": "pro", "interval": "month", "confirm": True},
        )
    ),
    "cancel_subscription": Case(_subscribed("/api/payment/subscription/cancel", {"at": "period_end"}, {"at": "now"})),
    "resume_subscription": Case(_subscribed("/api/payment/subscription/resume", None)),
    "request_data_export": Case(_simple("/api/user/data-export"), anew=True),
}


# As an administrator ---------------------------------------------------------


async def _give(world: World, _client: Client) -> Sent:
    user_id = (await world.hortus.customer()).tokens["user"]["id"]
    return Sent(f"/api/admin/users/{user_id}/credits", {"amount": "1", **WHY}, {"amount": "2", **WHY})


async def _refund(world: World, _client: Client) -> Sent:
    customer = await world.hortus.customer()
    await press(customer, await buy(customer, "/api/payment/topup", pack="small"), "pay")
    await quiet(world.hortus)
    user_id = customer.tokens["user"]["id"]
    paid = (await world.admin.get("/api/admin/payments", params={"user_id": user_id})).json()["items"][0]["id"]
    return Sent(f"/api/admin/payments/{paid}/refund", {"amount_minor": 5, **WHY}, {"amount_minor": 6, **WHY})


COUPON = {"kind": "percent", "name": "Walk", "percent": 10, **WHY}
PACK = {"name": "walk", "title": "Walk", "credits": "1", "prices": {"INR": 100}, **WHY}
PLAN = {"name": "walk", "title": "Walk", "prices": {}, "monthly_credits": "0", "windows": [], **WHY}
ADMIN = {
    "admin_make_coupons": Case(_simple("/api/admin/coupons", COUPON, {**COUPON, "percent": 11}), once=True),
    "admin_publish_plan": Case(_simple("/api/admin/plans", PLAN, {**PLAN, "title": "Other"})),
    "admin_publish_pack": Case(_simple("/api/admin/packs", PACK, {**PACK, "title": "Other"})),
    "admin_give_credits": Case(_give),
    "admin_refund_payment": Case(_refund, anew=True),
}
CASES = PUBLIC | OWN | ADMIN
SHOWN_ANEW = {"request_data_export"}
"""Answers with credentials of which the `id` alone is stored, and which are made anew for who may still have them."""


# Tests -----------------------------------------------------------------------


@pytest.fixture
async def world(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with OpenAIEmulator() as vendor, OidcEmulator() as issuer:
        for name, value in {
            "OPENAI_BASE_URL": f"{vendor.url}/v1",
            "OPENAI_API_KEY": "sk-emulated",
            "OPENAI_TEXT_MODEL": "house-writer",
            "OPENAI_IMAGE_MODEL": "house-painter",
            "OIDC_HOUSE_ISSUER": issuer.url,
            "OIDC_HOUSE_CLIENT_ID": issuer.client_id,
            "OIDC_HOUSE_CLIENT_SECRET": issuer.client_secret,
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        async with serve(database_url, tmp_path, knows_its_port=True, frontend_base_url=ORIGIN) as hortus:
            mailbox = Mailbox()
            mailbox.attach(hortus)
            yield World(hortus, vendor, mailbox, await hortus.customer())


async def send(client: Client, sent: Sent, *, other: bool = False) -> httpx2.Response:
    method = "PATCH" if re.fullmatch(r"/api/chatroom/[^/]+/message/[^/]+", sent.path) else "POST"
    method = "PUT" if sent.path.endswith("/update") else method
    headers = {"Idempotency-Key": sent.key}
    if sent.files is not None:
        return await client.request(method, sent.path, files=sent.other if other else sent.files, headers=headers)
    return await client.request(method, sent.path, json=sent.other if other else sent.json, headers=headers)


def credentials_in(found: Any, inside: bool = False) -> set[str]:
    """Every credential in an answer."""
    if isinstance(found, dict):
        names = CREDENTIALS | ({"code"} if "hint" in found else set())  # of a coupon; problems have a `code` too
        return set().union(*(credentials_in(each, inside or name in names) for name, each in found.items()))
    if isinstance(found, list):
        return set().union(*(credentials_in(each, inside) for each in found))
    return {found} if inside and isinstance(found, str) and found else set()


def shown(answer: httpx2.Response, case: Case) -> Any:
    """The part of a response that is equal at each repeat: not its links, which are signed again."""
    body = answer.json()
    return body["id"] if case.anew else {name: value for name, value in body.items() if name != "url"}


def judge(case: Case, first: httpx2.Response, again: httpx2.Response) -> str | None:
    """Errors of a repeat by a caller who is still allowed to do it."""
    if credentials_in(again.json()):
        return f"gives a credential: {again.status_code} {again.text[:200]}"
    if case.once:
        if again.status_code == 403 and again.json()["code"] == "reauthentication_required":
            return None
        fine = (again.status_code, again.json().get("code")) == (409, "already_done")
        return None if fine else f"is not refused as done: {again.status_code} {again.text[:200]}"
    if again.headers.get("Idempotency-Replayed") != "true":
        return f"is done anew: {again.status_code} {again.text[:200]}"
    same = (again.status_code, shown(again, case)) == (first.status_code, shown(first, case))
    return None if same else f"differs: {first.status_code} {first.text[:300]} | {again.status_code} {again.text[:300]}"


async def change_password(world: World, user_id: str, keep: str | None) -> None:
    hashed = await world.hortus.resources[auth.PasswordPool].hash(NEW)
    async with world.hortus.database.transaction() as tx:
        await set_password_hash(tx, user_id, hashed)
        await sessions.revoke_others(tx, user_id, keep)


async def suspend(world: World, user_id: str, verb: str = "suspend") -> None:
    answer = await world.admin.post(f"/api/admin/users/{user_id}/{verb}", json=WHY)
    assert answer.status_code == 200, answer.text


async def close(world: World, user_id: str) -> None:
    async with world.hortus.database.transaction() as tx:
        await auth.close_account(tx, user_id)


async def test_every_route_with_a_key_is_classified(world: World):
    schema = (await world.hortus.anonymous().get("/openapi.json")).json()
    takes, bears = set(), set()
    for methods in schema["paths"].values():
        for method, operation in methods.items():
            if any(each["name"].lower() == "idempotency-key" for each in operation.get("parameters", ())):
                takes.add(operation["operationId"])
            if method != "get" and _bears_credentials(schema, operation["responses"]):
                bears.add(operation["operationId"])
    assert takes == set(CASES), f"add or remove a Case in {__file__}: {sorted(takes ^ set(CASES))}"
    once = {name for name, case in CASES.items() if case.once}
    assert bears - SHOWN_ANEW == once, f"these give credentials: {sorted(bears)}; these are marked: {sorted(once)}"


def _bears_credentials(schema: dict[str, Any], found: Any, seen: frozenset[str] = frozenset()) -> bool:
    if isinstance(found, list):
        return any(_bears_credentials(schema, each, seen) for each in found)
    if not isinstance(found, dict):
        return False
    if found.get("x-credential"):
        return True
    name = str(found.get("$ref", "")).rpartition("/")[2]
    if name and name not in seen:
        return _bears_credentials(schema, schema["components"]["schemas"][name], seen | {name})
    return any(_bears_credentials(schema, each, seen) for each in found.values())


NO_CREDENTIAL = {
    "HTTPValidationError", "Problem", "ValidationError",
}  # fmt: skip


async def test_every_field_that_sounds_like_a_credential_is_marked_as_one(world: World):
    schema = (await world.hortus.anonymous().get("/openapi.json")).json()
    unmarked = []
    for name, shape in schema["components"]["schemas"].items():
        if name.endswith("In") or name in NO_CREDENTIAL:
            continue
        for field_name, rule in shape.get("properties", {}).items():
            sounds = re.search(r"token|secret|password|recovery|challenge|otpauth", field_name)
            if sounds and not _bears_credentials(schema, rule) and f"{name}.{field_name}" not in NOT_ONE:
                unmarked.append(f"{name}.{field_name}")
    assert not unmarked, (
        f"type them `Credential` (hortus.core.security.credentials), or say in NOT_ONE why not: {unmarked}"
    )


NOT_ONE = {
    "NewKeyOut.old_secret_until": "a moment",
    "UsageOut.input_tokens": "a count",
    "UsageOut.output_tokens": "a count",
    "AdminUserDetailsOut.has_password": "a yes or no",
    "SettingsOut.secrets": "which are set, not what they are",
    "TokensOut.password_required": "a yes or no",
    "PasswordRequiredOut.password_required": "a yes or no",
    "TotpStatusOut.recovery_codes_left": "a count",
    "TokensOut.token_type": "the word bearer",
}


async def test_repeats_without_sign_in_give_no_access(world: World):
    wrong, secrets = [], set()
    for name, case in PUBLIC.items():
        if name == "register":  # from here on there is an administrator: the first walk needed that there is none
            await world.sql("UPDATE users SET role = 'admin' WHERE id = :id", id=world.admin.tokens["user"]["id"])
        sent = await case.prepare(world, world.hortus.anonymous())
        client = sent.client or world.hortus.anonymous()
        first = await send(client, sent)
        assert first.status_code in (200, 201), (name, first.text)
        secrets |= credentials_in(first.json())
        user_id = sent.user_id or first.json().get("user", {}).get("id")
        async for when in _changes_of(world, user_id if name not in BY_PASSWORD else None):
            complaint = judge(case, first, await send(client, sent))
            wrong += [f"{name}, repeated {when}, {complaint}"] if complaint else []
        mismatch = await send(client, sent, other=True)
        if (mismatch.status_code, mismatch.json().get("code")) != (422, "idempotency_mismatch"):
            wrong.append(f"{name} with another body: {mismatch.status_code} {mismatch.text[:200]}")
    assert not wrong, "\n".join(wrong)
    await _nothing_is_kept(world, secrets)


BY_PASSWORD = {"login", "setup"}
"""`login` verifies the password before the key is looked at; the one administrator of `setup` cannot be changed."""


async def _changes_of(world: World, user_id: str | None) -> AsyncIterator[str]:
    """What may become of an account, done one after the other; the account is closing afterwards."""
    yield "at once"
    if user_id is None:
        return
    await change_password(world, user_id, None)
    yield "after the password was changed"
    await suspend(world, user_id)
    yield "while suspended"
    await suspend(world, user_id, "unsuspend")
    yield "after the suspension"
    await close(world, user_id)
    yield "while the account closes"
    async with world.hortus.database.snapshot() as tx:
        assert await accounts.status_of(tx, user_id) == "closing", "a repetition opened a closing account again"


@pytest.mark.parametrize("role", ["user", "admin"])
async def test_repeats_are_answered_while_the_caller_has_access(world: World, role: str):
    await world.sql("UPDATE users SET role = 'admin' WHERE id = :id", id=world.admin.tokens["user"]["id"])
    wrong, secrets = [], set()
    for name, case in (ADMIN if role == "admin" else OWN).items():
        first, second, stranger = [await _signed_in(world, role) for _ in range(3)]
        user_id = first.tokens["user"]["id"]
        second = await _another_session(world, first)
        sent = await case.prepare(world, first)
        answer = await send(first, sent)
        assert answer.status_code in (200, 201, 202), (name, answer.text)
        secrets |= credentials_in(answer.json())
        wrong += [
            f"{name}, repeated by {who}, {complaint}"
            for who, client in (("the same caller", first), ("another session", second))
            if (complaint := judge(case, answer, await send(client, sent)))
        ]
        if sent.other is not None:
            mismatch = await send(second, sent, other=True)
            if (mismatch.status_code, mismatch.json().get("code")) not in (
                (422, "idempotency_mismatch"), (403, "reauthentication_required")
            ):  # fmt: skip
                wrong.append(f"{name} with another body: {mismatch.status_code} {mismatch.text[:200]}")
        theirs = await send(stranger, sent)
        if "Idempotency-Replayed" in theirs.headers or credentials_in(answer.json()) & credentials_in(theirs.json()):
            wrong.append(f"{name}: a stranger with the same key got {theirs.status_code} {theirs.text[:200]}")
        await change_password(world, user_id, second.tokens["session_id"])
        ended_one = await send(first, sent)
        if ended_one.status_code != 401:
            wrong.append(f"{name}, repeated by an ended session: {ended_one.status_code} {ended_one.text[:200]}")
        complaint = judge(case, answer, await send(second, sent))
        wrong += [f"{name}, repeated after the password was changed, {complaint}"] if complaint else []
        if case.remove is not None:
            gone = await case.remove(world, second, sent, answer.json())
            assert gone.status_code in (200, 204), (name, gone.text)
            after = await send(second, sent)
            if after.status_code != 404:
                wrong.append(f"{name}, repeated after removal: {after.status_code} {after.text[:200]}")
        wrong += await _refused_after(world, name, second, sent, role)
    assert not wrong, "\n".join(wrong)
    await _nothing_is_kept(world, secrets)


async def _refused_after(world: World, name: str, client: Client, sent: Sent, role: str) -> list[str]:
    """Errors of repeats once the caller has lost all access."""
    user_id, wrong = client.tokens["user"]["id"], []
    await suspend(world, user_id)
    suspended = await send(client, sent)
    if suspended.status_code != 403:
        wrong.append(f"{name}, repeated while suspended: {suspended.status_code} {suspended.text[:200]}")
    await suspend(world, user_id, "unsuspend")
    if role == "admin":
        body = {"role": "support", **WHY}
        changed = await world.admin.post(f"/api/admin/users/{user_id}/role", json=body)
        assert changed.status_code == 200, changed.text
        demoted = await send(client, sent)
        if demoted.status_code not in (401, 403):
            wrong.append(f"{name}, repeated without the role: {demoted.status_code} {demoted.text[:200]}")
    await close(world, user_id)
    closed = await send(client, sent)
    if closed.status_code not in (401, 403):
        wrong.append(f"{name}, repeated after closing: {closed.status_code} {closed.text[:200]}")
    return wrong


async def _signed_in(world: World, role: str) -> Client:
    return await (world.hortus.staff("admin") if role == "admin" else world.hortus.customer())


async def _another_session(world: World, first: Client) -> Client:
    client = world.hortus.anonymous()
    body = {"email": first.tokens["user"]["email"], "password": PASSWORD}
    client.tokens = (await client.post("/api/auth/login", json=body)).json()
    client.headers["Authorization"] = f"Bearer {client.tokens['access_token']}"
    sessions = (await client.get("/api/user/sessions")).json()["items"]
    client.tokens["session_id"] = next(each["id"] for each in sessions if each["current"])
    return client


async def _nothing_is_kept(world: World, secrets: set[str]) -> None:
    async with world.hortus.database.snapshot() as tx:
        rows = (await tx.execute(text("SELECT status, response FROM idempotency_keys"))).all()
    kept = " ".join(str(row.response) for row in rows)
    assert rows
    assert secrets
    assert not [secret for secret in secrets if secret in kept]


async def test_a_refused_attempt_leaves_the_key_to_the_next_one(world: World):
    """A wrong code is counted, and so commits; the key is not used up by it."""
    email, client = f"{ids.new()}@example.com", world.hortus.anonymous()
    await client.post("/api/auth/send-otp", json={"email": email})
    code = await world.mailbox.code(email)
    wrong = {"email": email, "code": "000000" if code != "000000" else "111111", "accept_terms": True}
    assert (await client.post("/api/auth/verify-otp", json=wrong, headers=KEY)).json()["code"] == "bad_code"
    right = await client.post("/api/auth/verify-otp", json={**wrong, "code": code}, headers=KEY)
    assert right.status_code == 200
    answers = await asyncio.gather(
        *(client.post("/api/auth/verify-otp", json={**wrong, "code": code}, headers=KEY) for _ in range(5))
    )
    assert {(each.status_code, each.json()["code"]) for each in answers} == {(409, "already_done")}
