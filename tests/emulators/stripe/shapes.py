"""Objects in the shape that the own client of the vendor declares: all its fields, and no others."""

import types
import typing
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

import stripe
from stripe import StripeObject
from stripe._list_object import ListObject
from stripe.billing_portal import Session as PortalSession
from stripe.checkout import Session as CheckoutSession

CLASSES: dict[str, type[StripeObject]] = {
    "billing_portal.session": PortalSession,
    "charge": stripe.Charge,
    "checkout.session": CheckoutSession,
    "coupon": stripe.Coupon,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "invoice": stripe.Invoice,
    "invoice_payment": stripe.InvoicePayment,
    "line_item": stripe.InvoiceLineItem,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "price": stripe.Price,
    "product": stripe.Product,
    "refund": stripe.Refund,
    "subscription": stripe.Subscription,
    "subscription_item": stripe.SubscriptionItem,
    "subscription_schedule": stripe.SubscriptionSchedule,
}
NEVER = ("deleted", "_inner_class_types", "_inner_class_dicts", "_field_encodings")


def make(kind: str, **given: Any) -> dict[str, Any]:
    """An object of that kind with these fields; what is not given is empty, as its type allows."""
    return fill(CLASSES[kind], given)


def fill(shape: type[StripeObject], given: dict[str, Any]) -> dict[str, Any]:
    """The same for a part of one. Raises ValueError for a field that there is none of."""
    fields = _fields(shape)
    unknown = set(given) - set(fields)
    if unknown:
        raise ValueError(f"{shape.__qualname__} has no {', '.join(sorted(unknown))}")
    return {name: _with(shape, name, kind, given) for name, kind in fields.items()}


def listed(data: list[Any], url: str, *, has_more: bool = False) -> dict[str, Any]:
    """A page."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


@cache
def _fields(shape: type[StripeObject]) -> dict[str, Any]:
    found = {name: kind for name, kind in shape.__annotations__.items() if name not in NEVER}
    return {name: kind for name, kind in found.items() if get_origin(kind) is not typing.ClassVar}


def _with(shape: type[StripeObject], name: str, kind: Any, given: dict[str, Any]) -> Any:
    if name not in given:
        return _empty(kind)
    value = given[name]
    part = _part(kind)
    if isinstance(value, dict) and part is not None and "object" not in value:
        return fill(part, value)
    if isinstance(value, list) and part is not None:
        return [fill(part, each) if isinstance(each, dict) and "object" not in each else each for each in value]
    return value


def _part(kind: Any) -> type[StripeObject] | None:
    """The nested class behind a field, if it is one of the vendor's with fields of its own."""
    if isinstance(kind, type) and issubclass(kind, StripeObject):
        return kind if kind.__annotations__ and not issubclass(kind, ListObject) else None
    return next((found for found in map(_part, get_args(kind)) if found is not None), None)


def _empty(kind: Any) -> Any:
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if type(None) in inside else _empty(inside[0])
    if origin is Literal:
        return inside[0]
    if origin is list:
        return []
    if origin is ListObject or kind is ListObject:
        return listed([], "")
    if kind in (int, float, bool, str):
        return kind()
    if isinstance(kind, type) and issubclass(kind, StripeObject) and kind.__annotations__:
        return fill(kind, {})
    return {}
