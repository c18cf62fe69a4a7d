"""Pages of the sandbox: pay without real money, and trigger renewals, refunds and disputes."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from fastapi import Path
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from hortus.core.db import Tx
from hortus.core.errors import NotFound
from hortus.core.web.deps import AllResources, ReadTx, WriteTx
from hortus.core.web.openapi import make_router, public
from hortus.payments.registry import SANDBOX, Gateways
from hortus.payments.sandbox import simulator, store
from hortus.payments.sandbox.store import StoredObject

if TYPE_CHECKING:
    from jinja2 import Template

router = make_router("/sandbox", "sandbox")
OPEN = public("the buyer comes from the checkout, whose id cannot be guessed; nothing here is real money")
CheckoutId = Annotated[str, Path(max_length=60, pattern=r"^sbx_co_[A-Za-z0-9_-]+$")]
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self' {back}; frame-ancestors 'none'"


@cache
def _page() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - loaded by the first page

    loader = PackageLoader("hortus.payments.sandbox", "")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("page.jinja")


async def _checkout(tx: Tx, checkout_id: str, resources: AllResources) -> StoredObject:
    found = await store.find(tx, "checkout", checkout_id) if resources[Gateways].get(SANDBOX) is not None else None
    if found is None or "title" not in found.body:
        raise NotFound
    return found


@router.get("/checkout/{sandbox_checkout_id}", response_class=HTMLResponse, openapi_extra=OPEN)
async def show(sandbox_checkout_id: CheckoutId, tx: ReadTx, resources: AllResources) -> HTMLResponse:
    """The checkout page; after payment, the page that triggers later events."""
    checkout = await _checkout(tx, sandbox_checkout_id, resources)
    subscription = None
    if "subscription" in checkout.body:
        subscription = await store.find(tx, "subscription", checkout.body["subscription"])
    payment = await _last_payment(tx, checkout)
    undone = [] if payment is None else [
        *await store.children(tx, payment.id, "refund"), *await store.children(tx, payment.id, "dispute"),
    ]  # fmt: skip
    page = _page().render(
        id=checkout.id,
        checkout=checkout.body,
        subscription=None if subscription is None else subscription.body,
        payment=None if payment is None else payment.body,
        undone=[{"kind": each.kind, **each.body} for each in undone],
        disputed=any(each.kind == "dispute" and each.body["status"] == "open" for each in undone),
        untouched=not undone,
    )
    return HTMLResponse(
        page,
        headers={
            "Content-Security-Policy": PAGE_POLICY.format(back=_origin(checkout.body["success_url"])),
            "Cache-Control": "no-store",
        },
    )


@router.post("/checkout/{sandbox_checkout_id}/{button}", openapi_extra=OPEN, status_code=303)
async def run_action(
    sandbox_checkout_id: CheckoutId,
    button: Annotated[str, Path(max_length=20)],
    tx: WriteTx,
    resources: AllResources,
) -> Response:
    """Run the action of a button; redirect to the page, or to the shop after the payment."""
    checkout = await _checkout(tx, sandbox_checkout_id, resources)
    if button in _BUYER:
        was_open = checkout.body["status"] == "open"
        await _BUYER[button](tx, checkout.id)
        if button == "pay" and was_open:
            return RedirectResponse(checkout.body["success_url"], 303)
    elif button in _SUBSCRIPTION and "subscription" in checkout.body:
        await _SUBSCRIPTION[button](tx, checkout.body["subscription"])
    elif button in _PAYMENT and (payment := await _last_payment(tx, checkout)) is not None:
        await _PAYMENT[button](tx, payment)
    else:
        raise NotFound
    return RedirectResponse(f"/sandbox/checkout/{checkout.id}", 303)


def _origin(url: str) -> str:
    """The origin of a URL. Browsers apply `form-action` to the redirect after a form, too."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def _last_payment(tx: Tx, checkout: StoredObject) -> StoredObject | None:
    taken = await store.children(tx, checkout.body.get("subscription", checkout.id), "payment")
    return taken[-1] if taken else None


async def _refund_rest(tx: Tx, payment: StoredObject) -> None:
    back = sum(each.body["amount"] for each in await store.children(tx, payment.id, "refund"))
    if back < payment.body["amount"]:
        await simulator.refund(tx, payment.id, payment.body["amount"] - back, key=f"page:{payment.id}:{back}")


async def _fail_renewal(tx: Tx, subscription_id: str) -> None:
    if await _is_running(tx, subscription_id):
        await simulator.set_declining(tx, subscription_id, True)
        await simulator.renew(tx, subscription_id)


async def _renew(tx: Tx, subscription_id: str) -> None:
    if await _is_running(tx, subscription_id):
        await simulator.set_declining(tx, subscription_id, False)
        await simulator.renew(tx, subscription_id)


async def _cancel(tx: Tx, subscription_id: str) -> None:
    await simulator.cancel(tx, subscription_id, now=True)


async def _is_running(tx: Tx, subscription_id: str) -> bool:
    found = await store.find(tx, "subscription", subscription_id)
    return found is not None and found.body["status"] != "ended"


_BUYER: dict[str, Callable[[Tx, str], Awaitable[None]]] = {"pay": simulator.pay, "decline": simulator.decline}
_SUBSCRIPTION: dict[str, Callable[[Tx, str], Awaitable[None]]] = {
    "renew": _renew,
    "fail-renewal": _fail_renewal,
    "end": _cancel,
}
_PAYMENT: dict[str, Callable[[Tx, StoredObject], Awaitable[None]]] = {
    "refund": _refund_rest,
    "chargeback": lambda tx, payment: simulator.dispute(tx, payment.id),
    "win-dispute": lambda tx, payment: simulator.decide(tx, payment.id, won=True),
    "lose-dispute": lambda tx, payment: simulator.decide(tx, payment.id, won=False),
}
