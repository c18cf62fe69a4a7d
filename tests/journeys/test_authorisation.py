"""Authorisation of every route that requires sign-in, for each kind of caller.

**You added a route and this test failed?** Add one line to `RULES`: the method and path as in the schema, and
the expected responses:

- `own(200)`: its owner gets this status; to a stranger, to support and to an administrator it does not exist (404).
- `everyone(200)`: all signed-in users get this status.
- `staff(200)`: under `/api/admin`; support and administrators get this status, customers 403.
- `admins(200)`: under `/api/admin`; administrators get this status, all others 403.

Pass a `body` where the route takes one. It must be valid; otherwise the response is about the body. `key=True` sends an
`Idempotency-Key`. A new path parameter needs a function in `THINGS` that creates such an object and
returns its id. Callers without sign-in always get 401 and suspended users 403, without a line. Routes without an id in
their path that are not under `/api/admin` need no line.

Rules run in order: put a route that deletes the object below the routes that need it.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from sqlalchemy import insert
from tests.auth.passkeys.authenticator import Authenticator, make_passkey
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import PASSWORD, Hortus, ended

from hortus import quotas
from hortus.auth.tables import ExternalAccount
from hortus.billing.payments.documents import issue
from hortus.billing.tables import Payment, WebhookEvent
from hortus.core import clock, ids
from hortus.tasks.tables import Task

# The allowed role comes last: the object must still exist when other roles are refused.
OWN_ROUTE = ("stranger", "support", "admin", "owner")
STAFF_ROUTE = ("owner", "stranger", "support", "admin")


@dataclass(frozen=True)
class Rule:
    """The expected status for each signed-in role."""

    owner: int
    stranger: int
    support: int
    admin: int
    body: Any = None
    key: bool = False


def own(status: int, body: Any = None, **more: Any) -> Rule:
    return Rule(status, 404, 404, 404, body, **more)


def everyone(status: int, body: Any = None, **more: Any) -> Rule:
    return Rule(status, status, status, status, body, **more)


def staff(status: int, body: Any = None, **more: Any) -> Rule:
    return Rule(403, 403, status, status, body, **more)


def admins(status: int, body: Any = None, **more: Any) -> Rule:
    return Rule(403, 403, 403, status, body, **more)


WHY = {"reason": "The walk asks"}

PACK = {"name": "walk", "title": "Walk", "credits": "1", "prices": {"INR": 1}, **WHY}
PLAN = {"name": "walk", "title": "Walk", "prices": {}, "monthly_credits": "0", "windows": [], **WHY}

RULES = {
    "GET /api/generations/{generation_id}": own(200),
    "GET /api/generations/{generation_id}/events": own(200),
    "GET /api/generations/{generation_id}/download": own(200),
    "POST /api/generations/{generation_id}/cancel": own(409),
    "POST /api/generations/{generation_id}/retry": own(409),
    "GET /api/video/details/{generation_id}": own(200),
    "GET /api/video/status/{generation_id}": own(200),
    "GET /api/video/download/{generation_id}": own(200),
    "POST /api/video/retry/{generation_id}": own(409),
    "GET /api/upload/file/{file_id}": own(200),
    "GET /api/payment/checkout/{checkout_id}": own(200),
    "POST /api/payment/{gateway_id}/verify": everyone(404, {}),
    "GET /api/payment/invoices/{invoice_id}": own(200),
    "GET /api/payment/invoices/{invoice_id}/pdf": own(200),
    "GET /api/chatroom/{room_id}": own(200),
    "PATCH /api/chatroom/{room_id}": own(200, {"title": "Mine still"}),
    "GET /api/chatroom/{room_id}/events": own(200),
    "POST /api/chatroom/{room_id}/message": own(202, {"content": "Hello"}),
    "POST /api/chatroom/{room_id}/quote": own(200, {"content": "Hello"}),
    "PATCH /api/chatroom/{room_id}/message/{message_id}": own(202, {"content": "Hello again"}),
    "POST /api/chatroom/{room_id}/message/{message_id}/regenerate": own(409, {}),
    "PATCH /api/auth/passkey/{passkey_id}": own(200, {"name": "Mine still"}),
    # Administration.
    "GET /api/admin/users": staff(200),
    "GET /api/admin/users/{user_id}": staff(200),
    "POST /api/admin/users/{user_id}/suspend": admins(200, WHY),
    "POST /api/admin/users/{user_id}/unsuspend": admins(200, WHY),
    "POST /api/admin/users/{user_id}/role": admins(200, {"role": "support", **WHY}),
    "POST /api/admin/users/{user_id}/sign-out": admins(200, WHY),
    "GET /api/admin/users/{user_id}/credits": admins(200),
    "POST /api/admin/users/{user_id}/credits": admins(201, {"amount": "1", **WHY}, key=True),
    "GET /api/admin/credits": admins(200),
    "GET /api/admin/credits/{credit_id}": admins(200),
    "POST /api/admin/credits/{credit_id}/approve": admins(200, WHY),
    "POST /api/admin/credits/{credit_id}/reject": admins(409, WHY),
    "POST /api/admin/credits/{credit_id}/reverse": admins(200, WHY),
    "POST /api/admin/coupons": admins(201, {"kind": "percent", "name": "Walk", "percent": 10, **WHY}),
    "GET /api/admin/coupons": admins(200),
    "GET /api/admin/coupons/{coupon_id}": admins(200),
    "GET /api/admin/coupons/{coupon_id}/redemptions": admins(200),
    "POST /api/admin/coupons/{coupon_id}/end": admins(200, WHY),
    "GET /api/admin/queues": staff(200),
    "GET /api/admin/tasks": staff(200),
    "GET /api/admin/tasks/{task_id}": admins(200),
    "POST /api/admin/tasks/{task_id}/cancel": admins(409, WHY),
    "POST /api/admin/tasks/{task_id}/requeue": admins(200, WHY),
    "GET /api/admin/payments": staff(200),
    "GET /api/admin/payments/{payment_id}": staff(200),
    "POST /api/admin/payments/{payment_id}/refund": admins(503, WHY),
    "POST /api/admin/payments/{payment_id}/assign": admins(409, {"user_id": ids.new(), **WHY}),
    "GET /api/admin/webhook-events": staff(200),
    "GET /api/admin/webhook-events/{event_id}": admins(200),
    "POST /api/admin/webhook-events/{event_id}/replay": admins(200, WHY),
    "GET /api/admin/revenue": admins(200),
    "GET /api/admin/margins": admins(200),
    "GET /api/admin/plans": staff(200),
    "POST /api/admin/plans": admins(201, PLAN),
    "POST /api/admin/plans/{plan_name}/end": admins(200, WHY),
    "GET /api/admin/packs": staff(200),
    "POST /api/admin/packs": admins(201, PACK),
    "POST /api/admin/packs/{pack_name}/end": admins(200, WHY),
    "GET /api/admin/providers": staff(200),
    "GET /api/admin/models": admins(200),
    "POST /api/admin/offers/disable": admins(200, {"provider": "local", "model": "sketch-video", **WHY}),
    "POST /api/admin/offers/enable": admins(200, {"provider": "local", "model": "sketch-video", **WHY}),
    "GET /api/admin/settings": admins(200),
    "GET /api/admin/doctor": admins(200),
    "GET /api/admin/audit": admins(200),
    "GET /api/admin/audit/verify": admins(200),
    "PATCH /api/keys/{key_id}": own(200, {"name": "Mine still"}),
    "POST /api/keys/{key_id}/rotate": own(200, {}),
    "POST /api/user/external-accounts/{provider}/link": everyone(404, {}),
    "GET /api/admin/generations": staff(200),
    "GET /api/admin/generations/{generation_id}": admins(200),
    # Routes that delete.
    "POST /api/payment/checkout/{checkout_id}/cancel": own(200),
    "DELETE /api/keys/{key_id}": own(204),
    "DELETE /api/auth/passkey/{passkey_id}": own(204),
    "DELETE /api/user/identifiers/{identifier_id}": own(409),
    "DELETE /api/upload/file/{file_id}": own(204),
    "POST /api/admin/generations/{generation_id}/take-down": admins(200, WHY),
    "DELETE /api/generations/{generation_id}": own(204),
    "DELETE /api/chatroom/{room_id}": own(204),
    "DELETE /api/user/sessions/{session_id}": own(204),
    "DELETE /api/user/external-accounts/{account_id}": own(204),
}


# Objects named in paths --------------------------------------------------------


class World:
    """The callers, and the owner's objects by path parameter; each is created once."""

    def __init__(self, hortus: Hortus) -> None:
        self.hortus = hortus
        self.callers: dict[str, httpx2.AsyncClient] = {}
        self._things: dict[str, str] = {}

    @property
    def owner(self) -> httpx2.AsyncClient:
        return self.callers["owner"]

    async def thing(self, name: str) -> str:
        assert name in THINGS, f"no function in THINGS makes a {{{name}}}: add one to {__file__}"
        if name not in self._things:
            self._things[name] = await THINGS[name](self)
        return self._things[name]


async def _generation(world: World) -> str:
    made = (await world.owner.post("/api/image/generate", json={"prompt": "kite"})).json()
    return (await ended(world.owner, made["id"]))["id"]


async def _file(world: World) -> str:
    generation_id = await world.thing("generation_id")
    return (await world.owner.get(f"/api/generations/{generation_id}")).json()["outputs"][0]["file_id"]


async def _checkout(world: World) -> str:
    return (await world.owner.post("/api/payment/topup", json={"pack": "small"})).json()["checkout_id"]


async def _coupon(world: World) -> str:
    admin = await world.hortus.staff("admin")
    body = {"kind": "percent", "name": "Walk", "percent": 10, **WHY}
    return (await admin.post("/api/admin/coupons", json=body)).json()["items"][0]["id"]


async def _gateway(_: World) -> str:
    """A gateway whose page returns nothing to browsers that could be verified."""
    return "sandbox"


async def _payment(world: World) -> str:
    invoice_id = await world.thing("invoice_id")
    return (await world.owner.get(f"/api/payment/invoices/{invoice_id}")).json()["payment_id"]


async def _event(world: World) -> str:
    """A webhook event of a removed gateway, so that a replay has no effect."""
    row = {"id": ids.new(), "gateway": "walk", "event_id": "walk", "kind": "walk", "status": "processed"}
    row |= {"subject_kind": "payment", "subject_id": "walk", "occurred_at": clock.now(), "received_at": clock.now()}
    async with world.hortus.database.transaction() as tx:
        await tx.execute(insert(WebhookEvent), row)
    return row["id"]


async def _plan(world: World) -> str:
    async with world.hortus.database.transaction() as tx:
        return (await quotas.publish_plan(tx, quotas.PlanTerms("ending", "Ending", {}, 0, ()))).name


async def _pack(_world: World) -> str:
    return "large"


async def _invoice(world: World) -> str:
    """An invoice for a payment that no gateway of this test could take."""
    user_id, paid = world.owner.tokens["user"]["id"], ids.new()
    money = {"user_id": user_id, "gateway": "walk", "currency": "INR", "kind": "topup"}
    parts = ("refunded_minor", "disputed_minor", "clawback_due", "clawback_taken", "restore_count", "credits")
    payment = {"id": paid, "external_id": "walk", "title": "Walk", "amount_minor": 100, **dict.fromkeys(parts, 0)}
    async with world.hortus.database.transaction() as tx:
        await tx.execute(insert(Payment), money | payment | {"paid_at": clock.now(), "created_at": clock.now()})
        await issue(tx, "payment", paid)
    return (await world.owner.get("/api/payment/invoices")).json()["items"][0]["id"]


async def _room(world: World) -> str:
    return (await world.owner.post("/api/chatroom", json={"title": "Mine"})).json()["id"]


async def _message(world: World) -> str:
    room_id = await world.thing("room_id")
    sent = (await world.owner.post(f"/api/chatroom/{room_id}/message", json={"content": "Hi"})).json()
    return sent["message"]["id"]


async def _session(world: World) -> str:
    """The owner's second device: ending the first would sign the owner out of this test."""
    credentials = {"email": world.owner.tokens["user"]["email"], "password": PASSWORD}
    assert (await world.hortus.anonymous().post("/api/auth/login", json=credentials)).status_code == 200
    sessions = (await world.owner.get("/api/user/sessions")).json()["items"]
    return next(each["id"] for each in sessions if not each["current"])


async def _passkey(world: World) -> str:
    return await make_passkey(world.owner, Authenticator())


async def _user(world: World) -> str:
    """A user whom staff may read and change, and who is no caller of this test."""
    return (await world.hortus.customer()).tokens["user"]["id"]


async def _credit(world: World) -> str:
    """A pending request for credits by another administrator, above the limit of one."""
    other, user_id = await world.hortus.staff("admin"), await world.thing("user_id")
    body = {"amount": "9" * 12, **WHY}
    return (await other.post(f"/api/admin/users/{user_id}/credits", json=body)).json()["id"]


async def _key(world: World) -> str:
    return (await world.owner.post("/api/keys", json={"name": "Mine"})).json()["id"]


async def _identifier(world: World) -> str:
    """The owner's only credential besides the password, so that even the owner may not remove it."""
    return (await world.owner.get("/api/user/identifiers")).json()["items"][0]["id"]


async def _task(world: World) -> str:
    """A dead letter of a task type without a handler."""
    task_id = ids.new()
    row = {"id": task_id, "name": "walk.nobody", "queue": "maintenance", "payload": {}, "status": "dead"}
    row |= {"priority": 0, "run_at": clock.EPOCH, "attempts": 5, "max_attempts": 5, "fence": 5, "request_id": "walk"}
    async with world.hortus.database.transaction() as tx:
        await tx.execute(insert(Task), row | {"created_at": clock.now(), "finished_at": clock.now()})
    return task_id


async def _provider(_world: World) -> str:
    return "nobody-configured-this"


async def _external_account(world: World) -> str:
    row = {
        "id": ids.new(), "user_id": world.owner.tokens["user"]["id"], "issuer": "https://id.example.com",
        "subject": "asha", "created_at": clock.now(), "last_used_at": clock.now(),
    }  # fmt: skip
    async with world.hortus.database.transaction() as tx:
        await tx.execute(insert(ExternalAccount), row)
    return row["id"]


THINGS: dict[str, Callable[[World], Awaitable[str]]] = {
    "generation_id": _generation,
    "file_id": _file,
    "room_id": _room,
    "checkout_id": _checkout,
    "coupon_id": _coupon,
    "invoice_id": _invoice,
    "payment_id": _payment,
    "event_id": _event,
    "plan_name": _plan,
    "pack_name": _pack,
    "message_id": _message,
    "passkey_id": _passkey,
    "session_id": _session,
    "user_id": _user,
    "task_id": _task,
    "credit_id": _credit,
    "key_id": _key,
    "identifier_id": _identifier,
    "provider": _provider,
    "gateway_id": _gateway,
    "account_id": _external_account,
}


# Tests -----------------------------------------------------------------------


@pytest.fixture
async def world(hortus: Hortus, vendor: OpenAIEmulator) -> World:
    made = World(hortus)
    made.callers = {
        "owner": await hortus.customer(),
        "stranger": await hortus.customer(),
        "support": await hortus.staff("support"),
        "admin": await hortus.staff("admin"),
        "suspended": await hortus.suspended(),
        "anonymous": hortus.anonymous(),
    }
    return made


async def routes_of(world: World) -> list[str]:
    """Every route of the schema that is not public, as `GET /api/…`."""
    schema = (await world.callers["anonymous"].get("/openapi.json")).json()
    return [
        f"{method.upper()} {path}"
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if "x-public" not in operation
    ]


def needs_rule(route: str) -> bool:
    return "{" in route or " /api/admin" in route


async def call(client: httpx2.AsyncClient, route: str, rule: Rule | None = None, **values: str) -> tuple[int, str]:
    """The status and the code of an error. A stream is opened and closed."""
    method, path = route.split(" ")
    headers = {"Idempotency-Key": "walk"} if rule is not None and rule.key else {}
    body = rule.body if rule is not None else None
    async with client.stream(method, path.format(**values), json=body, headers=headers) as answer:
        refused = answer.status_code >= 400
        return answer.status_code, (await answer.aread()).decode() if refused else ""


async def test_every_route_with_an_id_has_a_rule(world: World):
    missing = sorted(route for route in await routes_of(world) if needs_rule(route) and route not in RULES)
    assert not missing, (
        f"Who may call {missing}? Add one line for each to RULES in tests/journeys/test_authorisation.py, "
        'such as `"GET /api/things/{thing_id}": own(200),`; its docstring lists the kinds of rule.'
    )
    unknown = sorted(set(RULES) - set(await routes_of(world)))
    assert not unknown, f"RULES in tests/journeys/test_authorisation.py has routes that do not exist: {unknown}"


async def test_anonymous_and_suspended_callers_are_refused_everywhere(world: World):
    values: dict[str, str] = {}
    walked = await routes_of(world)
    for route in walked:
        for name in re.findall(r"{(\w+)}", route):
            values[name] = values.get(name) or await world.thing(name)
        status, error = await call(world.callers["anonymous"], route, RULES.get(route), **values)
        assert (status, "unauthenticated" in error) == (401, True), (route, error)
        status, error = await call(world.callers["suspended"], route, RULES.get(route), **values)
        assert (status, "account_suspended" in error) == (403, True), (route, error)
    assert len(walked) > 35


async def test_each_role_gets_the_status_of_its_rule(world: World):
    known = set(await routes_of(world))
    wrong = []
    for route, rule in RULES.items():
        if route not in known:
            continue  # the test above says so
        values = {name: await world.thing(name) for name in re.findall(r"{(\w+)}", route)}
        for role in STAFF_ROUTE if " /api/admin" in route else OWN_ROUTE:
            status, error = await call(world.callers[role], route, rule, **values)
            if status != getattr(rule, role):
                wrong.append(f"{role} got {status} and not {getattr(rule, role)} from {route} {error[:200]}")
    assert not wrong, "\n".join(wrong)
