"""The vendor as a server: keys, forms, idempotency, lists; and the news it sends, signed."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.emulators.base import Emulator
from tests.emulators.stripe import periods, shapes, till
from tests.emulators.stripe.books import VERSION, Books, Thing
from tests.emulators.stripe.desk import Desk
from tests.emulators.stripe.wire import Problem, missing, parse

FILTERS: dict[str, tuple[str, ...]] = {
    "charges": ("customer", "payment_intent"),
    "checkout.sessions": ("customer", "payment_intent", "subscription"),
    "customers": ("email",),
    "disputes": ("charge", "payment_intent"),
    "invoices": ("customer", "status"),
    "invoice_payments": ("invoice", "status"),
    "payment_intents": ("customer",),
    "refunds": ("charge", "payment_intent"),
    "subscriptions": ("customer", "status"),
}
Form = dict[str, Any]


@dataclass(kw_only=True)
class StripeEmulator(Emulator):
    """Its API is at `url`. Where `webhook_url` is set it sends its events there, in order, until they are taken."""

    secret_key: str = "sk_test_emulated"
    webhook_secret: str = "whsec_emulated"
    webhook_url: str = ""
    delivered: int = 0
    kept: dict[str, tuple[str, int, Any]] = field(default_factory=dict)
    """Answers by idempotency key."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.books = Books()
        self._busy: set[str] = set()
        self._sender: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.desk = Desk(self.books, self.url)
        self._sender = asyncio.create_task(self._send_all())
        return self

    async def __aexit__(self, *given: object) -> None:
        if self._sender is not None:
            self._sender.cancel()
            with suppress(asyncio.CancelledError):
                await self._sender
        await super().__aexit__(*given)

    # Its customers and their banks

    def find(self, kind: str, **fits: Any) -> Thing:
        """The newest object of a kind with these fields."""
        return self.books.all(kind, lambda each: all(each[name] == value for name, value in fits.items()))[0]

    def pay(self, session_id: str, *, ok: bool = True, method: str = "card") -> Thing:
        """The buyer pays a session that is open, or is declined; the session afterwards."""
        books, session = self.books, self.books.get("checkout.session", session_id)
        if session["status"] != "open":
            return session
        params = self.desk.session_params[session_id]
        if session["mode"] == "subscription":
            if not ok:
                till.take(books, till.intend(books, session["amount_total"], session["currency"], None), ok=False)
                return session
            price = books.get("price", params["line_items"][0]["price"])
            made = periods.subscribe(books, session, price, params["subscription_data"], method=method)
            session.update(subscription=made["id"], invoice=made["latest_invoice"])
        elif session["amount_total"]:
            if session["payment_intent"] is None:
                asked = params["payment_intent_data"]
                intent = till.intend(
                    books, session["amount_total"], session["currency"], session["customer"], metadata=asked["metadata"]
                )
                session["payment_intent"] = intent["id"]
            till.take(books, books.get("payment_intent", session["payment_intent"]), ok=ok, method=method)
            if not ok:
                return session
        paid = "paid" if session["amount_total"] else "no_payment_required"
        session.update(status="complete", payment_status=paid, url=None)
        books.tell("checkout.session.completed", session)
        return session

    def renew(self, subscription_id: str, *, ok: bool = True) -> None:
        """The period of a subscription is over: its renewal is paid, or declined."""
        periods.renew(self.books, self.books.get("subscription", subscription_id), ok=ok)

    def payment_of(self, subscription_id: str) -> Thing:
        """The newest payment of a subscription that was made."""
        invoice = self.find("invoice", status="paid", customer=self.books.things[subscription_id]["customer"])
        paying = self.find("invoice_payment", invoice=invoice["id"])
        return self.books.get("payment_intent", paying["payment"]["payment_intent"])

    # News

    def signed(self, event: Thing, *, at: int | None = None, secret: str | None = None) -> tuple[dict[str, str], bytes]:
        """An event as it is sent: its headers and its body."""
        body = json.dumps(event, indent=2).encode()
        stamp = int(time.time()) if at is None else at
        key = (self.webhook_secret if secret is None else secret).encode()
        right = hmac.new(key, b"%d." % stamp + body, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": f"t={stamp},v1={right}", "Content-Type": "application/json; charset=utf-8"}, body

    async def settled(self, seconds: float = 20.0) -> None:
        """Wait until all news was taken."""
        async with asyncio.timeout(seconds):
            while self.delivered < len(self.books.events):
                await asyncio.sleep(0.01)

    async def _send_all(self) -> None:
        async with aiohttp.ClientSession() as client:
            while True:
                if not self.webhook_url or self.delivered >= len(self.books.events):
                    await asyncio.sleep(0.01)
                    continue
                headers, body = self.signed(self.books.events[self.delivered])
                with suppress(aiohttp.ClientError):
                    async with client.post(self.webhook_url, data=body, headers=headers) as answer:
                        if answer.ok:
                            self.delivered += 1
                            continue
                await asyncio.sleep(0.05)

    # The API

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", "/v1/{path:.+}", self._serve)]

    def error(self, mode: str, status: int) -> tuple[dict[str, str], Any]:
        kind, code = {
            "bad_request": ("invalid_request_error", "parameter_invalid_empty"),
            "unauthorized": ("invalid_request_error", None),
            "forbidden": ("invalid_request_error", None),
            "unknown_model": ("invalid_request_error", "resource_missing"),
            "rate_limited": ("invalid_request_error", "rate_limit"),
        }.get(mode, ("api_error", None))
        headers = {"Request-Id": "req_failed"}
        if status in (429, 503) and self.retry_after:
            headers["Retry-After"] = self.retry_after
        said = f"Jane Doe <jane@example.com> with {self.secret_key} failed"  # which must stay out of our errors
        return headers, {"error": {"type": kind, "code": code, "message": said}}

    async def _serve(self, request: web.Request) -> web.Response:
        number = f"req_{self.counts['calls']:08d}"
        try:
            self._check(request)
            status, answer = await self._once(request)
        except Problem as problem:
            status, answer = problem.status, problem.body
        return web.json_response(answer, status=status, headers={"Request-Id": number, "Stripe-Version": VERSION})

    def _check(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self.secret_key}":
            raise Problem(401, None, "Invalid API Key provided: sk_test_********ated")
        if request.headers.get("Stripe-Version") != VERSION:
            raise Problem(400, None, f"Invalid Stripe API version: {request.headers.get('Stripe-Version')}")

    async def _once(self, request: web.Request) -> tuple[int, Any]:
        """The answer; for a key that came before, the first one again."""
        text = (await request.read()).decode() if request.method == "POST" else request.query_string
        key = request.headers.get("Idempotency-Key", "") if request.method == "POST" else ""
        if len(key) > 255:
            raise Problem(400, None, "Idempotency keys are up to 255 characters.", kind="idempotency_error")
        if key in self._busy:
            raise Problem(409, "idempotency_key_in_use", "Another request uses this key.", kind="idempotency_error")
        asked = f"{request.path} {text}"
        if key in self.kept:
            before, status, answer = self.kept[key]
            if before != asked:
                raise Problem(400, None, "Keys can only be used with the same parameters.", kind="idempotency_error")
            return status, answer
        self._busy.add(key)
        try:
            status, answer = self._answer(request.method, request.match_info["path"], parse(text))
        except Problem as problem:
            status, answer = problem.status, problem.body
        finally:
            self._busy.discard(key)
        if key:
            self.kept[key] = (asked, status, answer)
        return status, answer

    def _answer(self, method: str, path: str, asked: Form) -> tuple[int, Any]:
        if (method, path) == ("GET", "balance"):
            return 200, {"object": "balance", "livemode": False, "available": [], "pending": []}
        kind, rest = self._kind(path)
        if method == "GET":
            return 200, self._read(kind, rest, asked, f"/v1/{path}")
        changed = self._verb(method, kind, rest)(asked)
        return 200, self.books.expanded(self.books.shown(changed), asked)

    def _kind(self, path: str) -> tuple[str, list[str]]:
        steps = path.split("/")
        two = ".".join(steps[:2])
        if two in ("checkout.sessions", "billing_portal.sessions"):
            return two, steps[2:]
        return steps[0], steps[1:]

    def _verb(self, method: str, kind: str, rest: list[str]) -> Callable[[Form], Thing]:
        desk = self.desk
        makes: dict[tuple[str, ...], Callable[[Form], Thing]] = {
            ("products",): desk.make_product,
            ("prices",): desk.make_price,
            ("coupons",): desk.make_coupon,
            ("customers",): desk.make_customer,
            ("checkout.sessions",): desk.make_session,
            ("payment_intents",): desk.make_intent,
            ("refunds",): desk.make_refund,
            ("invoices", "create_preview"): desk.preview,
            ("subscription_schedules",): desk.make_schedule,
            ("billing_portal.sessions",): desk.open_portal,
        }
        updates: dict[tuple[str, ...], Callable[[Thing, Form], Thing]] = {
            ("POST", "prices"): desk.update_price,
            ("POST", "checkout.sessions", "expire"): desk.expire_session,
            ("POST", "subscriptions"): desk.update_subscription,
            ("DELETE", "subscriptions"): desk.cancel_subscription,
            ("POST", "subscription_schedules"): desk.update_schedule,
            ("POST", "subscription_schedules", "release"): desk.release_schedule,
        }
        if method == "POST" and (kind, *rest) in makes:
            return makes[(kind, *rest)]
        found = updates.get((method, kind, *rest[1:])) if rest else None
        if found is None:
            raise Problem(404, None, f"Unrecognized request URL ({method}: /v1/{kind}).")
        update = found
        return lambda asked: update(self.books.get(kind.removesuffix("s"), rest[0]), asked)

    def _read(self, kind: str, rest: list[str], asked: Form, path: str) -> Thing:
        single = kind.removesuffix("s")
        if single not in shapes.CLASSES:
            raise Problem(404, None, f"Unrecognized request URL (GET: {path}).")
        if len(rest) == 1:
            return self.books.expanded(self.books.shown(self.books.get(single, rest[0])), asked)
        if rest[1:] == ["payment_methods"]:
            self.books.get("customer", rest[0])
            return self.books.page(
                self.books.all("payment_method", lambda each: each["customer"] == rest[0]), asked, path
            )
        if rest:
            raise Problem(404, None, f"Unrecognized request URL (GET: {path}).")
        return self.books.page(self.books.all(single, lambda each: self._fits(kind, each, asked)), asked, path)

    def _fits(self, kind: str, thing: Thing, asked: Form) -> bool:
        if any(name in asked and thing[name] != asked[name] for name in FILTERS.get(kind, ())):
            return False
        match kind:
            case "prices":
                return "lookup_keys" not in asked or thing["lookup_key"] in asked["lookup_keys"]
            case "events":
                since = int(asked.get("created", {}).get("gte", 0))
                return thing["created"] >= since and thing["type"] in asked.get("types", [thing["type"]])
            case "invoices" if "subscription" in asked:
                return bool(thing["parent"]["subscription_details"]["subscription"] == asked["subscription"])
            case "invoice_payments" if "payment" in asked:
                return bool(thing["payment"]["payment_intent"] == asked["payment"]["payment_intent"])
        return True

    def lose(self, thing_id: str) -> None:
        """Somebody deleted an object in the vendor's own dashboard."""
        if self.books.things.pop(thing_id, None) is None:
            raise missing("object", thing_id)
