"""Razorpay: orders, payments, plans, subscriptions with their invoices, refunds, disputes, signed webhooks.

The API is as the real one's: basic authentication, `/v1`, amounts in paise, `{"error": {...}}`, ids that do not exist
answered with 400. What buyers, banks and time do is done by the verbs of `RazorpayEmulator`; each writes its events to
`events`, and `post` sends one.
"""

import base64
import calendar
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web

from tests.emulators.base import Emulator, main
from tests.emulators.limits import razorpay_refuses

Entity = dict[str, Any]
ERRORS = {400: "BAD_REQUEST_ERROR", 401: "BAD_REQUEST_ERROR", 429: "BAD_REQUEST_ERROR", 502: "GATEWAY_ERROR"}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
FOLDERS = {
    "order": "orders", "pay": "payments", "plan": "plans", "sub": "subscriptions", "inv": "invoices",
    "rfnd": "refunds", "disp": "disputes", "cust": "customers",
}  # fmt: skip
MONTHS = {"monthly": 1, "yearly": 12}


class Wrong(Exception):
    """What the API answers with an error object."""

    def __init__(self, description: str, status: int = 400, reason: str = "input_validation_failed", **more: Any):
        super().__init__(description)
        self.status, self.reason, self.more = status, reason, more


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it is sent, every time."""

    id: str
    kind: str
    body: bytes


@dataclass(kw_only=True)
class RazorpayEmulator(Emulator):
    """Its API is at `url`. `events` holds all it would send."""

    key_id: str = "rzp_test_0000000000"
    key_secret: str = "razorpay-key-secret"
    webhook_secret: str = "razorpay-webhook-secret"
    auto_capture: bool = True
    events: list[Event] = field(default_factory=list)
    objects: dict[str, Entity] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._refund_keys: dict[tuple[str, str], tuple[bytes, str]] = {}
        self._scheduled: dict[str, str] = {}
        self._ending: set[str] = set()
        self._declining: set[str] = set()

    # The API -----------------------------------------------------------------

    def routes(self) -> list[web.RouteDef]:
        found = []
        for folder in FOLDERS.values():
            found += [
                web.get(f"/v1/{folder}", self._guard(self._list)),
                web.get(f"/v1/{folder}/{{id}}", self._guard(self._one)),
            ]
        posts = {
            "/v1/orders": self._make_order, "/v1/plans": self._make_plan, "/v1/subscriptions": self._make_subscription,
            "/v1/customers": self._make_customer, "/v1/payments/{id}/capture": self._capture,
            "/v1/payments/{id}/refund": self._make_refund, "/v1/subscriptions/{id}/cancel": self._cancel,
            "/v1/subscriptions/{id}/cancel_scheduled_changes": self._unschedule,
        }  # fmt: skip
        found += [web.post(path, self._guard(handler)) for path, handler in posts.items()]
        found += [
            web.get("/v1/orders/{id}/payments", self._guard(self._payments_of_order)),
            web.get("/v1/payments/{id}/refunds", self._guard(self._refunds_of_payment)),
            web.get("/v1/subscriptions/{id}/retrieve_scheduled_changes", self._guard(self._scheduled_changes)),
            web.patch("/v1/subscriptions/{id}", self._guard(self._update)),
            web.patch("/v1/orders/{id}", self._guard(self._note)),
        ]
        return found

    def error(self, mode: str, status: int) -> tuple[dict[str, str], Any]:
        headers = {"Retry-After": self.retry_after} if status == 429 and self.retry_after else {}
        # The real one quotes what was sent; ours must not let that through.
        said = f"{mode}: {self.calls[-1].body.decode(errors='replace')}"
        return headers, _error(said, status, "server_error" if status >= 500 else "input_validation_failed")

    def _guard(self, handler: Any) -> Any:
        async def answer(request: web.Request) -> web.Response:
            right = base64.b64encode(f"{self.key_id}:{self.key_secret}".encode()).decode()
            if request.headers.get("Authorization") != f"Basic {right}":
                return web.json_response(_error("Authentication failed", 401, "NA"), status=401)
            try:
                return web.json_response(await handler(request))
            except Wrong as wrong:
                said = _error(str(wrong), wrong.status, wrong.reason, **wrong.more)
                return web.json_response(said, status=wrong.status)

        return answer

    async def _list(self, request: web.Request) -> Entity:
        query = dict(request.query)
        count, skip = int(query.pop("count", 10)), int(query.pop("skip", 0))
        if not 1 <= count <= 100:
            raise Wrong("The count must be between 1 and 100.", field="count")
        since, until = int(query.pop("from", 0)), int(query.pop("to", 2**40))
        prefix = next(prefix for prefix, folder in FOLDERS.items() if folder == request.path.split("/")[2])
        found = [
            each
            for each in reversed(self.objects.values())
            if each["id"].startswith(f"{prefix}_")
            and since <= each["created_at"] <= until
            and all(each.get(name) == value for name, value in query.items())
        ]
        return _collection(found[skip : skip + count])

    async def _one(self, request: web.Request) -> Entity:
        return self.get(request.match_info["id"], request.path.split("/")[2])

    def get(self, id: str, folder: str | None = None) -> Entity:
        """An object by its id."""
        found = self.objects.get(id)
        if found is None or (folder is not None and FOLDERS[id.split("_", maxsplit=1)[0]] != folder):
            raise Wrong("The id provided does not exist")
        return found

    def of(self, prefix: str, **values: Any) -> list[Entity]:
        """The objects of a kind with these values, the oldest first."""
        return [
            each
            for each in self.objects.values()
            if each["id"].startswith(f"{prefix}_") and all(each.get(name) == value for name, value in values.items())
        ]

    def _make(self, prefix: str, entity: str, **values: Any) -> Entity:
        id = f"{prefix}_{''.join(secrets.choice(ALPHABET) for _ in range(14))}"
        self.objects[id] = {"id": id, "entity": entity, **values, "created_at": values.get("created_at", _now())}
        return self.objects[id]

    # Orders and payments

    async def _make_order(self, request: web.Request) -> Entity:
        body = await request.json()
        _amount(body.get("amount"), body.get("currency"))
        if len(body.get("receipt") or "") > 40:
            raise Wrong("The receipt may not be greater than 40 characters.", field="receipt")
        return self._order(body["amount"], body["currency"], body.get("receipt"), body.get("notes") or [])

    def _order(self, amount: int, currency: str, receipt: str | None, notes: Any) -> Entity:
        return self._make(
            "order", "order", amount=amount, amount_paid=0, amount_due=amount, currency=currency, receipt=receipt,
            offer_id=None, status="created", attempts=0, notes=notes,
        )  # fmt: skip

    async def _note(self, request: web.Request) -> Entity:
        order, body = self.get(request.match_info["id"], "orders"), await request.json()
        if set(body) != {"notes"} or len(body["notes"]) > 15:
            raise Wrong("Only notes can be changed")
        order["notes"] = body["notes"]
        return order

    async def _payments_of_order(self, request: web.Request) -> Entity:
        order = self.get(request.match_info["id"], "orders")
        return _collection(self.of("pay", order_id=order["id"])[::-1])

    async def _capture(self, request: web.Request) -> Entity:
        payment, body = self.get(request.match_info["id"], "payments"), await request.json()
        if payment["status"] != "authorized":
            raise Wrong("This payment has already been captured")
        if (body.get("amount"), body.get("currency")) != (payment["amount"], payment["currency"]):
            raise Wrong("Capture amount must be equal to the amount authorized")
        self._captured(payment)
        return payment

    async def _make_refund(self, request: web.Request) -> Entity:
        payment, raw = self.get(request.match_info["id"], "payments"), await request.read()
        key = request.headers.get("X-Refund-Idempotency")
        if key is not None:
            if len(key) < 10 or not key.replace("-", "").replace("_", "").isalnum():
                raise Wrong("The idempotency key must be at least 10 characters of the allowed kinds")
            known = self._refund_keys.get((payment["id"], key))
            if known is not None:
                if known[0] != raw:
                    raise Wrong("Different request body sent for the same Idempotency Header")
                return self.get(known[1])
        body = json.loads(raw or b"{}")
        made = self.refund(payment["id"], body.get("amount"), notes=body.get("notes") or [])
        if key is not None:
            self._refund_keys[payment["id"], key] = (raw, made["id"])
        return made

    async def _refunds_of_payment(self, request: web.Request) -> Entity:
        payment = self.get(request.match_info["id"], "payments")
        return _collection(self.of("rfnd", payment_id=payment["id"])[::-1])

    async def _make_customer(self, request: web.Request) -> Entity:
        body = await request.json()
        for known in self.of("cust", email=body.get("email"), contact=body.get("contact")):
            if str(body.get("fail_existing", "1")) == "0":
                return known
            raise Wrong("Customer already exists for the merchant")
        return self._make(
            "cust", "customer", **{name: body.get(name) for name in ("name", "email", "contact")}, gstin=None, notes=[]
        )

    # Subscriptions

    async def _make_plan(self, request: web.Request) -> Entity:
        body = await request.json()
        item = body["item"]
        _amount(item.get("amount"), item.get("currency"))
        if body.get("period") not in MONTHS or body.get("interval") != 1:
            raise Wrong("Not a valid period")
        made = self._make("plan", "plan", interval=1, period=body["period"], notes=body.get("notes") or [], item={})
        made["item"] = {
            "id": f"item_{made['id'][5:]}", "active": True, "name": item["name"],
            "description": item.get("description"),
            "amount": item["amount"], "unit_amount": item["amount"], "currency": item["currency"], "type": "plan",
            "unit": None, "tax_inclusive": False, "hsn_code": None, "sac_code": None, "tax_rate": None, "tax_id": None,
            "tax_group_id": None, "created_at": made["created_at"], "updated_at": made["created_at"],
        }  # fmt: skip
        return made

    async def _make_subscription(self, request: web.Request) -> Entity:
        body = await request.json()
        plan = self.get(body["plan_id"], "plans")
        if not 1 <= int(body.get("total_count") or 0) <= 1200 // MONTHS[plan["period"]]:
            raise Wrong("Exceeds the maximum total count allowed.", field="total_count")
        if body.get("start_at") is not None and body["start_at"] <= _now():
            raise Wrong("start_at cannot be lesser than the current time.", field="start_at")
        made = self._make(
            "sub", "subscription", plan_id=plan["id"], customer_id=None, status="created", current_start=None,
            current_end=None, ended_at=None, quantity=body.get("quantity", 1), notes=body.get("notes") or [],
            charge_at=body.get("start_at"), start_at=body.get("start_at"), end_at=None, auth_attempts=0,
            total_count=body["total_count"], paid_count=0, customer_notify=True, expire_by=None, short_url=None,
            has_scheduled_changes=False, change_scheduled_at=None, source="api", offer_id=None,
            remaining_count=body["total_count"],
        )  # fmt: skip
        made["short_url"] = f"https://rzp.io/i/{made['id'][4:12]}"
        return made

    async def _cancel(self, request: web.Request) -> Entity:
        found, body = self.get(request.match_info["id"], "subscriptions"), await request.json()
        if body.get("cancel_at_cycle_end") in (True, 1):
            if found["status"] != "active":
                raise Wrong("Subscription cannot be cancelled since no billing cycle is going on")
            self._ending.add(found["id"])  # and nothing in the object says so
            return found
        self.end(found["id"])
        return found

    async def _update(self, request: web.Request) -> Entity:
        found, body = self.get(request.match_info["id"], "subscriptions"), await request.json()
        if found["status"] not in ("authenticated", "active"):
            raise Wrong("Can't update subscription when subscription is not in Authenticated or Active state")
        plan, old = self.get(body["plan_id"], "plans"), self.get(found["plan_id"], "plans")
        if plan["period"] != old["period"] and not body.get("remaining_count"):
            raise Wrong("Exceeds the maximum total count allowed.", field="remaining_count")
        if body.get("schedule_change_at") == "cycle_end":
            self._scheduled[found["id"]] = plan["id"]
            found.update(has_scheduled_changes=True, change_scheduled_at=found["current_end"])
            return {**found}
        self._change_now(found, old, plan)
        return found

    def _change_now(self, found: Entity, old: Entity, plan: Entity) -> None:
        if found["status"] == "active":
            if found["id"] in self._declining:
                raise Wrong("The payment has been declined", 400, "payment_failed", source="bank", step="authorization")
            now, start, end = _now(), found["current_start"], found["current_end"]
            unused = old["item"]["amount"] * (end - now) // (end - start)
            cost = plan["item"]["amount"]
            if plan["period"] != old["period"]:
                start, end = now, _later(now, MONTHS[plan["period"]])
                found.update(current_start=start, current_end=end, charge_at=end)
            else:
                cost = cost * (end - now) // (end - start)
            found["plan_id"] = plan["id"]
            if cost > unused:
                self._charge(found, cost - unused, now, end, "Prorated charge")
        found["plan_id"] = plan["id"]
        self._tell("subscription.updated", subscription=found)

    async def _scheduled_changes(self, request: web.Request) -> Entity:
        found = self.get(request.match_info["id"], "subscriptions")
        if found["id"] not in self._scheduled:
            raise Wrong("No pending update found")
        return {**found, "plan_id": self._scheduled[found["id"]]}

    async def _unschedule(self, request: web.Request) -> Entity:
        found = self.get(request.match_info["id"], "subscriptions")
        self._scheduled.pop(found["id"], None)
        found.update(has_scheduled_changes=False, change_scheduled_at=None)
        return found

    # What buyers and banks do ------------------------------------------------

    def pay(self, id: str, method: str = "upi", **tampered: Any) -> Entity:
        """The buyer pays an order, or begins a subscription; the payment. `tampered` replaces parts of it."""
        if id.startswith("sub_"):
            return self._begin(self.get(id), method)
        payment = self.authorise(id, method, **tampered)
        if self.auto_capture:
            self._captured(payment)
        return payment

    def authorise(self, order_id: str, method: str = "card", **tampered: Any) -> Entity:
        """A bank says yes to a payment of an order, late as that may be; nobody took the money yet."""
        order = self.get(order_id)
        payment = self._payment(order["amount"], order["currency"], method, order_id=order_id)
        payment.update(tampered)
        order.update(status="attempted", attempts=order["attempts"] + 1)
        self._tell("payment.authorized", payment=payment)
        return payment

    def fail_payment(self, order_id: str, method: str = "card") -> Entity:
        """The bank says no."""
        order = self.get(order_id)
        payment = self._failed(order["amount"], order["currency"], method, order_id=order_id)
        order.update(status="attempted", attempts=order["attempts"] + 1)
        return payment

    def refund(self, payment_id: str, amount: int | None = None, *, notes: Any = ()) -> Entity:
        """Money goes back, by the API or by the dashboard."""
        payment = self.get(payment_id)
        left = payment["amount"] - payment["amount_refunded"]
        amount = left if amount is None else amount
        if payment["status"] not in ("captured", "refunded") or not 0 < amount <= left:
            raise Wrong("The total refund amount is greater than the refund payment amount")
        payment["amount_refunded"] += amount
        whole = payment["amount_refunded"] == payment["amount"]
        payment.update(status="refunded" if whole else "captured", refund_status="full" if whole else "partial")
        made = self._make(
            "rfnd", "refund", amount=amount, currency=payment["currency"], payment_id=payment_id, notes=notes or [],
            receipt=None, acquirer_data={"arn": None}, batch_id=None, status="processed", speed_processed="normal",
            speed_requested="normal",
        )  # fmt: skip
        self._tell("refund.created", refund=made, payment=payment)
        self._tell("refund.processed", refund=made, payment=payment)
        return made

    def dispute(self, payment_id: str, phase: str = "chargeback", status: str = "open") -> Entity:
        """The buyer's bank questions a payment."""
        payment = self.get(payment_id)
        made = self._make(
            "disp", "dispute", payment_id=payment_id, amount=payment["amount"], currency=payment["currency"],
            amount_deducted=0, reason_code="goods_or_services_not_received", respond_by=_now() + 864_000,
            status=status, phase=phase, evidence={"amount": payment["amount"], "summary": None, "submitted_at": None},
        )  # fmt: skip
        self._tell("payment.dispute.created", payment=payment, dispute=made)
        return made

    def decide(self, dispute_id: str, status: str) -> Entity:
        """A dispute is `won`, `lost` or `closed` without effect."""
        found = self.get(dispute_id)
        found.update(status=status, amount_deducted=found["amount"] if status == "lost" else 0)
        self._tell(f"payment.dispute.{status}", payment=self.get(found["payment_id"]), dispute=found)
        return found

    def _begin(self, found: Entity, method: str) -> Entity:
        if found["status"] != "created":
            raise Wrong("Subscription is not in created state")
        customer = self._make("cust", "customer", name=None, email="gaurav@example.com", contact="+919876543210")
        found["customer_id"] = customer["id"]
        if found["start_at"] is not None:  # a small payment verifies the mandate and is refunded
            payment = self._payment(100, "INR", method, status="captured")
            found["status"] = "authenticated"
            self._tell("subscription.authenticated", subscription=found)
            self.refund(payment["id"])
            return payment
        plan = self.get(found["plan_id"])
        found.update(status="active", start_at=_now())
        self._tell("subscription.authenticated", subscription=found)
        self._tell("subscription.activated", subscription=found)
        return self._cycle(found, plan, _now(), method)

    # What time does ----------------------------------------------------------

    def next_charge(self, subscription_id: str) -> Entity | None:
        """The period is over: the next one is paid, or the subscription ends; the payment."""
        found = self.get(subscription_id)
        if subscription_id in self._ending:
            self.end(subscription_id)
            return None
        if subscription_id in self._scheduled:
            found.update(
                plan_id=self._scheduled.pop(subscription_id), has_scheduled_changes=False, change_scheduled_at=None
            )
        for waiting in self.of("inv", subscription_id=subscription_id, status="issued"):
            return self._pay_invoice(found, waiting)
        start = found["current_end"] or found["start_at"]
        found["status"] = "active"
        return self._cycle(found, self.get(found["plan_id"]), start, "card")

    def fail_renewal(self, subscription_id: str) -> Entity:
        """The period is over and the bank says no: pending first, halted at the fourth time; the payment."""
        found = self.get(subscription_id)
        plan = self.get(found["plan_id"])
        waiting = self.of("inv", subscription_id=subscription_id, status="issued")
        if not waiting:
            start = found["current_end"] or found["start_at"]
            end = _later(start, MONTHS[plan["period"]])
            found.update(current_start=start, current_end=end)
            waiting = [self._invoice(found, plan["item"]["amount"], start, end, plan["item"]["name"])]
        invoice = waiting[0]
        found["auth_attempts"] += 1
        last = found["auth_attempts"] >= 4
        found.update(status="halted" if last else "pending", charge_at=None if last else _now() + 86_400)
        payment = self._failed(
            invoice["amount"], invoice["currency"], "card", order_id=invoice["order_id"], invoice_id=invoice["id"]
        )
        self._tell(f"subscription.{found['status']}", subscription=found)
        return payment

    def end(self, subscription_id: str) -> None:
        """It is over, at once."""
        found = self.get(subscription_id)
        if found["status"] in ("cancelled", "completed", "expired"):
            raise Wrong(f"Subscription is not cancellable in {found['status']} status.")
        found.update(status="cancelled", ended_at=_now(), charge_at=None)
        self._tell("subscription.cancelled", subscription=found)

    def decline(self, subscription_id: str) -> None:
        """From now on the card behind it says no to a change."""
        self._declining.add(subscription_id)

    def _cycle(self, found: Entity, plan: Entity, start: int, method: str) -> Entity:
        end = _later(start, MONTHS[plan["period"]])
        found.update(current_start=start, current_end=end, charge_at=end)
        return self._charge(found, plan["item"]["amount"], start, end, plan["item"]["name"], method)

    def _charge(self, found: Entity, amount: int, start: int, end: int, line: str, method: str = "card") -> Entity:
        return self._pay_invoice(found, self._invoice(found, amount, start, end, line), method)

    def _invoice(self, found: Entity, amount: int, start: int, end: int, line: str) -> Entity:
        currency = self.get(found["plan_id"])["item"]["currency"]
        order = self._order(amount, currency, None, [])
        return self._make(
            "inv", "invoice", receipt=None, invoice_number=None, customer_id=found["customer_id"],
            customer_details={"id": found["customer_id"]}, order_id=order["id"], subscription_id=found["id"],
            line_items=[{
                "id": f"li_{order['id'][6:]}", "item_id": None, "ref_id": None, "ref_type": None, "name": line,
                "description": None, "amount": amount, "unit_amount": amount, "gross_amount": amount, "tax_amount": 0,
                "taxable_amount": amount, "net_amount": amount, "currency": currency, "type": "plan", "quantity": 1,
                "tax_inclusive": False, "taxes": [],
            }],
            payment_id=None, status="issued", expire_by=None, issued_at=_now(), paid_at=None, cancelled_at=None,
            expired_at=None, date=_now(), partial_payment=False, gross_amount=amount, tax_amount=0,
            taxable_amount=amount, amount=amount, amount_paid=0, amount_due=amount, currency=currency,
            currency_symbol="₹", description=None, notes=[], short_url="https://rzp.io/i/inv", type="invoice",
            billing_start=start, billing_end=end, user_id=None,
        )  # fmt: skip

    def _pay_invoice(self, found: Entity, invoice: Entity, method: str = "card") -> Entity:
        payment = self._payment(
            invoice["amount"], invoice["currency"], method, order_id=invoice["order_id"], invoice_id=invoice["id"],
            customer_id=found["customer_id"], token_id="token_1",
        )  # fmt: skip
        self._captured(payment)
        invoice.update(
            status="paid", payment_id=payment["id"], paid_at=_now(), amount_paid=invoice["amount"], amount_due=0
        )
        found.update(
            status="active", auth_attempts=0, paid_count=found["paid_count"] + 1,
            remaining_count=found["remaining_count"] - 1, charge_at=found["current_end"],
        )  # fmt: skip
        self._tell("invoice.paid", payment=payment, order=self.get(invoice["order_id"]), invoice=invoice)
        self._tell("subscription.charged", subscription=found, payment=payment)
        return payment

    # Payments

    def _payment(self, amount: int, currency: str, method: str, **values: Any) -> Entity:
        by = {"upi": {"vpa": "gaurav@upi"}, "netbanking": {"bank": "HDFC"}, "wallet": {"wallet": "mobikwik"}}
        base: Entity = {
            "amount": amount, "currency": currency, "status": "authorized", "order_id": None, "invoice_id": None,
            "international": False, "method": method, "amount_refunded": 0, "refund_status": None, "captured": False,
            "description": None, "card_id": None, "bank": None, "wallet": None, "vpa": None,
            "email": "gaurav@example.com", "contact": "+919876543210", "customer_id": None, "token_id": None,
            # Whatever a browser may write there, it is not to be read.
            "notes": {"reference": "00000000-0000-7000-8000-000000000000"}, "fee": None, "tax": None,
            "error_code": None, "error_description": None, "error_source": None, "error_step": None,
            "error_reason": None, "acquirer_data": {"rrn": "012345678912"},
        }  # fmt: skip
        return self._make("pay", "payment", **{**base, **by.get(method, {}), **values})

    def _captured(self, payment: Entity) -> None:
        payment.update(status="captured", captured=True, fee=payment["amount"] // 50, tax=0)
        self._tell("payment.captured", payment=payment)
        if payment["order_id"] is not None:
            order = self.get(payment["order_id"])
            order.update(status="paid", amount_paid=order["amount"], amount_due=0)
            self._tell("order.paid", payment=payment, order=order)

    def _failed(self, amount: int, currency: str, method: str, **values: Any) -> Entity:
        payment = self._payment(
            amount, currency, method, status="failed", error_code="BAD_REQUEST_ERROR", error_source="bank",
            error_description="Your payment was declined by gaurav@example.com's bank", error_step="authorization",
            error_reason="payment_failed", **values,
        )  # fmt: skip
        self._tell("payment.failed", payment=payment)
        return payment

    # Webhooks ----------------------------------------------------------------

    def _tell(self, kind: str, **parts: Entity) -> None:
        self.events.append(self.event(kind, **parts))

    def event(self, kind: str, *, created_at: int | None = None, **parts: Entity) -> Event:
        """An event as it would be sent, its parts as they are in this moment."""
        said = {
            "entity": "event", "account_id": "acc_00000000000000", "event": kind, "contains": list(parts),
            "payload": {name: {"entity": part} for name, part in parts.items()},
            "created_at": _now() if created_at is None else created_at,
        }  # fmt: skip
        return Event(secrets.token_hex(7), kind, json.dumps(said, ensure_ascii=False).encode())

    def again(self, event: Event, at: int) -> Event:
        """The same event, as if it had happened then."""
        return Event(event.id, event.kind, json.dumps({**json.loads(event.body), "created_at": at}).encode())

    def headers(self, event: Event, secret: str | None = None) -> dict[str, str]:
        """With what an event is sent."""
        key = (self.webhook_secret if secret is None else secret).encode()
        return {
            "Content-Type": "application/json",
            "X-Razorpay-Event-Id": event.id,
            "X-Razorpay-Signature": hmac.new(key, event.body, "sha256").hexdigest(),
        }

    async def post(self, url: str, event: Event, secret: str | None = None) -> int:
        """Send an event once; the status of the answer."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=event.body, headers=self.headers(event, secret)) as answer,
        ):
            return answer.status

    def callback(self, payment: Entity, bought: str) -> dict[str, str]:
        """What the form gives the page once an order or a subscription was paid."""
        order = bought.startswith("order_")
        signed = f"{bought}|{payment['id']}" if order else f"{payment['id']}|{bought}"
        return {
            "razorpay_payment_id": payment["id"],
            "razorpay_order_id" if order else "razorpay_subscription_id": bought,
            "razorpay_signature": hmac.new(self.key_secret.encode(), signed.encode(), "sha256").hexdigest(),
        }


# Parts -----------------------------------------------------------------------


def _now() -> int:
    return int(time.time())


def _later(stamp: int, months: int) -> int:
    start = datetime.fromtimestamp(stamp, UTC)
    years, month = divmod(start.month - 1 + months, 12)
    day = min(start.day, calendar.monthrange(start.year + years, month + 1)[1])
    return int(start.replace(year=start.year + years, month=month + 1, day=day).timestamp())


def _amount(amount: Any, currency: Any) -> None:
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise Wrong("The amount must be an integer.", field="amount")
    said = razorpay_refuses(amount, str(currency))
    if said is not None:
        raise Wrong(said, field="amount")


def _collection(items: list[Entity]) -> Entity:
    return {"entity": "collection", "count": len(items), "items": items}


def _error(description: str, status: int, reason: str, **more: Any) -> Entity:
    code = ERRORS.get(status, "SERVER_ERROR" if status >= 500 else "BAD_REQUEST_ERROR")
    said = {"code": code, "description": description, "source": "business", "step": "payment_initiation"}
    return {"error": {**said, "reason": reason, "metadata": {}, **more}}


if __name__ == "__main__":
    main(RazorpayEmulator)
