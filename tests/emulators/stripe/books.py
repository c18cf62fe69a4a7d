"""The vendor's books: everything it made, in order, and the events that tell of it."""

import copy
import time
from collections.abc import Callable
from typing import Any

from tests.emulators.stripe import shapes
from tests.emulators.stripe.wire import DEEPEST, Problem, missing

Thing = dict[str, Any]
PREFIXES = {
    "billing_portal.session": "bps",
    "charge": "ch",
    "checkout.session": "cs_test",
    "coupon": "co",
    "customer": "cus",
    "dispute": "du",
    "event": "evt",
    "invoice": "in",
    "invoice_payment": "inpay",
    "line_item": "il",
    "payment_intent": "pi",
    "payment_method": "pm",
    "price": "price",
    "product": "prod",
    "refund": "re",
    "subscription": "sub",
    "subscription_item": "si",
    "subscription_schedule": "sub_sched",
}
ONLY_EXPANDED = {"invoice": ("payments",), "charge": ("refunds",)}
"""Lists that an answer holds only where they were asked for."""
MOST, USUAL = 100, 10
VERSION = "2026-10-28.endive"


class Books:
    """All objects by id. What is shown outside is a copy."""

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        self.events: list[Thing] = []
        self._count = 0

    def now(self) -> int:
        """The vendor's clock."""
        return int(time.time())

    def add(self, kind: str, **given: Any) -> Thing:
        """Make an object."""
        self._count += 1
        thing_id = given.pop("id", None) or f"{PREFIXES[kind]}_{self._count:024d}"
        fields = shapes.CLASSES[kind].__annotations__
        if "created" in fields:
            given.setdefault("created", self.now())
        made = shapes.make(kind, id=thing_id, object=kind, **given)
        if kind not in ("line_item", "subscription_item"):
            self.things[thing_id] = made
        return made

    def get(self, kind: str, thing_id: Any, param: str = "id") -> Thing:
        """An object that must be there."""
        found = self.things.get(str(thing_id))
        if found is None or found["object"] != kind:
            raise missing(kind, str(thing_id), param)
        return found

    def all(self, kind: str, fits: Callable[[Thing], bool] = lambda _: True) -> list[Thing]:
        """Those of a kind, the newest first."""
        return [each for each in reversed(self.things.values()) if each["object"] == kind and fits(each)]

    def tell(self, kind: str, thing: Thing) -> Thing:
        """Something happened to an object: an event with what it looks like now."""
        self._count += 1
        event = shapes.make(
            "event",
            id=f"evt_{self._count:024d}",
            type=kind,
            created=self.now(),
            api_version=VERSION,
            pending_webhooks=1,
            data={"object": self.shown(thing)},
            request={"id": None, "idempotency_key": None},
        )
        self.things[event["id"]] = event
        self.events.append(event)
        return event

    # Showing

    def page(self, found: list[Thing], asked: Thing, path: str) -> Thing:
        """A page of what was found, the newest first."""
        limit = int(asked.get("limit", USUAL))
        if not 1 <= limit <= MOST:
            raise Problem(400, "parameter_invalid_integer", f"Invalid limit: {limit}", param="limit")
        ids = [each["id"] for each in found]
        after = asked.get("starting_after")
        if after is not None:
            if after not in ids:
                raise missing("object", after, "starting_after")
            found = found[ids.index(after) + 1 :]
        data = [self.shown(each) for each in found[:limit]]
        answer = shapes.listed(data, path, has_more=len(found) > limit)
        return self.expanded(answer, asked)

    def shown(self, thing: Thing) -> Thing:
        """A copy as it is sent, without what is only there when it is expanded."""
        shown = copy.deepcopy(thing)
        for name in ONLY_EXPANDED.get(thing["object"], ()):
            shown.pop(name)
        return shown

    def expanded(self, shown: Thing, asked: Thing) -> Thing:
        """The same with ids replaced by objects where `expand` says so."""
        for path in asked.get("expand", ()):
            steps = path.split(".")
            if len(steps) > DEEPEST:
                raise Problem(400, None, f"You cannot expand more than {DEEPEST} levels of a property.")
            self._expand(shown, steps)
        return shown

    def _expand(self, place: Any, steps: list[str]) -> None:
        if isinstance(place, list):
            for each in place:
                self._expand(each, steps)
            return
        if not steps or not isinstance(place, dict):
            return
        name, rest = steps[0], steps[1:]
        kind = place.get("object")
        if kind == "invoice" and name == "payments":
            own = self.all("invoice_payment", lambda each: each["invoice"] == place["id"])
            place[name] = shapes.listed([self.shown(each) for each in own], "/v1/invoice_payments")
        elif name not in place:
            raise Problem(400, None, f"This property cannot be expanded ({name}).")
        elif isinstance(place[name], str) and place[name] in self.things:
            place[name] = self.shown(self.things[place[name]])
        self._expand(place[name], rest)
