"""What the vendor's API is asked for: each verb reads a form and answers with an object."""

import re
from typing import Any

from tests.emulators.stripe import periods, shapes, till
from tests.emulators.stripe.books import Books, Thing
from tests.emulators.stripe.wire import Problem, declined, flag, missing, whole

DAY = 86_400


class Desk:
    """The verbs over the books. `declining` holds the customers whose bank says no."""

    def __init__(self, books: Books, origin: str) -> None:
        self.books, self.origin = books, origin
        self.declining: set[str] = set()
        self.asks_more: set[str] = set()
        """Customers whose bank wants to see them."""
        self.session_params: dict[str, Thing] = {}
        """What a session was asked to make once it is paid."""
        self.portal = True

    # Catalogue

    def make_product(self, params: Thing) -> Thing:
        return self.books.add("product", name=params["name"], active=True, metadata=params.get("metadata", {}))

    def make_price(self, params: Thing) -> Thing:
        key = params.get("lookup_key")
        if key is not None and self.books.all("price", lambda each: each["lookup_key"] == key):
            raise Problem(400, "resource_already_exists", "A price already uses that lookup key.", param="lookup_key")
        product = params.get("product") or self.make_product(params["product_data"])["id"]
        return self.books.add(
            "price",
            active=True,
            billing_scheme="per_unit",
            currency=params["currency"],
            lookup_key=key,
            metadata=params.get("metadata", {}),
            nickname=params.get("nickname"),
            product=product,
            recurring={"interval": params["recurring"]["interval"], "interval_count": 1, "usage_type": "licensed"},
            type="recurring",
            unit_amount=till.charged(whole(params, "unit_amount"), params["currency"]),
        )

    def update_price(self, price: Thing, params: Thing) -> Thing:
        price["active"] = flag(params["active"])
        return price

    def make_coupon(self, params: Thing) -> Thing:
        return self.books.add(
            "coupon",
            amount_off=whole(params, "amount_off", least=1),
            currency=params["currency"],
            duration=params["duration"],
            max_redemptions=int(params["max_redemptions"]),
            metadata=params.get("metadata", {}),
            valid=True,
        )

    def make_customer(self, params: Thing) -> Thing:
        told = {name: params.get(name) for name in ("email", "name", "phone")}
        if told["email"] is not None and not re.fullmatch(r"[\x21-\x7e]+@[\w-]+(\.[\w-]+)+", told["email"], re.ASCII):
            raise Problem(400, "email_invalid", f"Invalid email address: {told['email']}", param="email")
        return self.books.add("customer", metadata=params.get("metadata", {}), invoice_settings={}, **told)

    # Checkout

    def make_session(self, params: Thing) -> Thing:
        if "customer" in params:
            self.books.get("customer", params["customer"], "customer")
        (bought,) = params["line_items"]
        recurring = params["mode"] == "subscription"
        if recurring:
            price = self.books.get("price", bought["price"], "line_items[0][price]")
            if not price["active"]:
                raise Problem(400, "resource_missing", "The price specified is inactive.", param="line_items[0][price]")
            whole_price, currency = price["unit_amount"], price["currency"]
        else:
            asked = bought["price_data"]
            whole_price, currency = whole(asked, "unit_amount"), asked["currency"]
        coupons = [self.books.get("coupon", each["coupon"]) for each in params.get("discounts", ())]
        off = sum(each["amount_off"] for each in coupons)
        trial = params.get("subscription_data", {}).get("trial_period_days")
        if not trial and whole_price > off:
            till.charged(whole_price - off, currency)
        session = self.books.add(
            "checkout.session",
            mode=params["mode"],
            status="open",
            payment_status="unpaid",
            customer=params.get("customer"),
            client_reference_id=params.get("client_reference_id"),
            metadata=params.get("metadata", {}),
            currency=currency,
            amount_subtotal=whole_price,
            amount_total=0 if trial else max(0, whole_price - off),
            discounts=[{"coupon": each["id"]} for each in coupons],
            success_url=params["success_url"],
            cancel_url=params["cancel_url"],
            expires_at=self.books.now() + DAY,
            payment_method_types=["card", "upi"] if currency == "inr" else ["card"],
            ui_mode="hosted_page",
        )
        session["url"] = f"{self.origin}/c/pay/{session['id']}"
        self.session_params[session["id"]] = params
        return session

    def expire_session(self, session: Thing, _: Thing) -> Thing:
        if session["status"] != "open":
            raise Problem(400, None, 'Only Checkout Sessions with a status in ["open"] can be expired.')
        session.update(status="expired", url=None)
        self.books.tell("checkout.session.expired", session)
        return session

    # Money without a page

    def make_intent(self, params: Thing) -> Thing:
        customer = self.books.get("customer", params["customer"], "customer")["id"]
        method = self.books.get("payment_method", params["payment_method"], "payment_method")
        if method["customer"] != customer:
            raise Problem(400, "payment_method_unexpected_state", "The PaymentMethod belongs to another customer.")
        intent = till.intend(
            self.books,
            till.charged(whole(params, "amount", least=1), params["currency"]),
            params["currency"],
            customer,
            metadata=params.get("metadata", {}),
            payment_method=method["id"],
            description=params.get("description"),
        )
        if customer in self.asks_more:
            till.take(self.books, intent, ok=False, code="authentication_required")
            raise Problem(402, "authentication_required", "Jane Doe's bank asks more.", kind="card_error")
        till.take(self.books, intent, ok=customer not in self.declining)
        if customer in self.declining:
            raise declined("insufficient_funds")
        return intent

    def make_refund(self, params: Thing) -> Thing:
        kind = "charge" if "charge" in params else "payment_intent"
        return till.refund(self.books, self.books.get(kind, params[kind], kind), whole(params, "amount", least=1))

    # Subscriptions

    def update_subscription(self, found: Thing, params: Thing) -> Thing:
        if found["status"] in periods.OVER:
            raise missing("subscription", found["id"])
        ends = {"cancel_at_period_end", "cancel_at"} & set(params)
        if ends and found["schedule"] is not None:
            raise Problem(400, None, "The subscription is managed by a schedule; its cancelation cannot be changed.")
        if "cancel_at_period_end" in params:
            found["cancel_at_period_end"] = flag(params["cancel_at_period_end"])
            found["canceled_at"] = self.books.now() if found["cancel_at_period_end"] else None
        if "cancel_at" in params:
            found["cancel_at"] = int(params["cancel_at"]) if params["cancel_at"] else None
        for item in params.get("items", ()):
            if item["id"] != periods.item_of(found)["id"]:
                raise missing("subscription_item", item["id"], "items[0][id]")
            price = self.books.get("price", item["price"], "items[0][price]")
            periods.change(self.books, found, price, params, ok=found["customer"] not in self.declining)
        if ends:
            self.books.tell("customer.subscription.updated", found)
        return found

    def cancel_subscription(self, found: Thing, _: Thing) -> Thing:
        if found["status"] in periods.OVER:
            raise missing("subscription", found["id"])
        found["schedule"] = None
        periods.end(self.books, found)
        return found

    def preview(self, params: Thing) -> Thing:
        found = self.books.get("subscription", params["subscription"], "subscription")
        if found["status"] in periods.OVER:
            raise Problem(400, "invoice_upcoming_none", "No upcoming invoices for a canceled subscription.")
        asked = params["subscription_details"]
        if asked.get("proration_behavior") != "always_invoice":
            raise Problem(400, None, "This emulator previews changes that are invoiced at once.")
        price = self.books.get("price", asked["items"][0]["price"])
        lines, _, _ = periods.change_lines(self.books, found, price)
        return periods.draw_up(self.books, found, "subscription_update", lines)

    def make_schedule(self, params: Thing) -> Thing:
        found = self.books.get("subscription", params["from_subscription"], "from_subscription")
        if found["schedule"] is not None:
            raise Problem(400, None, "You cannot migrate a subscription that is already attached to a schedule.")
        item = periods.item_of(found)
        start, end = item["current_period_start"], item["current_period_end"]
        made = self.books.add(
            "subscription_schedule",
            customer=found["customer"],
            subscription=found["id"],
            status="active",
            end_behavior="release",
            current_phase={"start_date": start, "end_date": end},
            phases=[{"items": [{"price": item["price"]["id"], "quantity": 1}], "start_date": start, "end_date": end}],
        )
        found["schedule"] = made["id"]
        return made

    def update_schedule(self, made: Thing, params: Thing) -> Thing:
        phases: list[dict[str, Any]] = []
        for asked in params["phases"]:
            start = int(asked.get("start_date") or phases[-1]["end_date"])
            lasts = asked.get("duration", {}).get("interval")
            end = periods.later(start, lasts) if lasts else int(asked["end_date"])
            items = [{"price": self.books.get("price", each["price"])["id"], "quantity": 1} for each in asked["items"]]
            phases.append({"items": items, "start_date": start, "end_date": end})
        fresh = shapes.make("subscription_schedule", phases=phases)
        made["phases"] = fresh["phases"]
        return made

    def release_schedule(self, made: Thing, _: Thing) -> Thing:
        if made["status"] != "active":
            raise Problem(400, None, "You cannot release a subscription schedule that is not active.")
        self.books.get("subscription", made["subscription"])["schedule"] = None
        made.update(status="released", released_subscription=made["subscription"], subscription=None)
        return made

    def open_portal(self, params: Thing) -> Thing:
        self.books.get("customer", params["customer"], "customer")
        if not self.portal:
            raise Problem(400, None, "You can't create a portal session until you save your customer portal settings.")
        url = f"{self.origin}/p/session/{params['customer']}"
        return self.books.add(
            "billing_portal.session", customer=params["customer"], return_url=params["return_url"], url=url
        )
