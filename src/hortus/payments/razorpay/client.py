"""HTTP client for the Razorpay API; failures are raised as GatewayError."""

import base64
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, NoReturn
from urllib.parse import urlencode

from hortus.core.http import Http, HttpError, Response
from hortus.payments.base import AmountRefused, Declined, GatewayNotConfigured, GatewayRefused, GatewayUnavailable
from hortus.payments.razorpay.settings import RazorpaySettings

Entity = dict[str, Any]
PAGE = 100
"""Razorpay's maximum page size."""
PAGES = 100
"""Pages read of one list; longer lists are continued from a later time."""
MOST = 8 * 1024 * 1024
ID = re.compile(r"(order|pay|sub|plan|inv|rfnd|disp|cust)_[A-Za-z0-9]{1,40}")
_WORD = re.compile(r"[A-Za-z_]{1,60}")
_DECLINED = re.compile(
    r"payment_(failed|declined|cancelled|timed_out)|insufficient_funds|card_\w+|authentication_failed"
)
_AMOUNT = re.compile(r"amount must be at least|amount exceeds maximum|currency is not supported")
_ABSENT = ("does not exist", "not a valid id", "no db records found")


class Client:
    """Authenticated calls of one account. Each method raises only GatewayError."""

    def __init__(self, http: Http, settings: RazorpaySettings) -> None:
        self._http, self._settings = http, settings
        self._plans: dict[str, Entity] = {}

    async def get(self, path: str, **query: Any) -> Entity:
        """An object, or a collection."""
        return await self._call("GET", f"{path}?{urlencode(query)}" if query else path)

    async def find(self, kind: str, id: str) -> Entity | None:
        """The object with that id; None if the account has none."""
        if ID.fullmatch(id) is None:
            return None
        try:
            return await self.get(f"{kind}/{id}")
        except Absent:
            return None

    async def post(self, path: str, body: Entity, **headers: str) -> Entity:
        """Create an object or run an action."""
        return await self._call("POST", path, body, {name.replace("_", "-"): each for name, each in headers.items()})

    async def patch(self, path: str, body: Entity) -> Entity:
        """Update an object."""
        return await self._call("PATCH", path, body)

    async def each(self, path: str, pages: int = PAGES, **query: Any) -> AsyncIterator[Entity]:
        """All items of a list, page by page, newest first."""
        for page in range(pages):
            items = (await self.get(path, **query, count=PAGE, skip=page * PAGE)).get("items") or []
            for item in items:
                yield item
            if len(items) < PAGE:
                return

    async def plan(self, id: str) -> Entity:
        """A plan, cached: plans never change."""
        if id not in self._plans:
            found = await self.find("plans", id)
            if found is None:
                raise GatewayRefused("there is no such plan")
            self._plans[id] = found
        return self._plans[id]

    async def _call(
        self, method: str, path: str, body: Entity | None = None, headers: Mapping[str, str] | None = None
    ) -> Entity:
        given = self._settings
        if given.missing() is not None:
            raise GatewayNotConfigured(str(given.missing()))
        user = f"{given.key_id}:{given.key_secret.get_secret_value().strip()}"
        authorization = f"Basic {base64.b64encode(user.encode()).decode()}"
        try:
            answer = await self._http.request(
                method,
                f"{given.root}/{path}",
                headers={"Authorization": authorization, "Accept": "application/json", **(headers or {})},
                json=body,
                timeout=given.timeout,
                max_bytes=MOST,
            )
            if answer.status in (200, 201):
                found = answer.json()
            else:
                _fail(answer)
        except HttpError as error:
            raise GatewayUnavailable(f"no usable response from Razorpay: {type(error).__name__}") from None
        if not isinstance(found, dict):
            raise GatewayUnavailable("Razorpay's response is not a JSON object")
        return found


class Absent(GatewayRefused):
    """Razorpay has no object with that id."""


def _fail(answer: Response) -> NoReturn:
    """Raise the error of a response. Only codes are kept: the text may repeat personal data of the request."""
    status = answer.status
    code, reason, text = _error_of(answer)
    said = " ".join(part for part in (f"Razorpay answered {status}", code, reason) if part)
    if status in (401, 403):
        raise GatewayNotConfigured(
            f"{said}: check RAZORPAY_KEY_ID and RAZORPAY_KEY_SECRET, and whether they are live or test keys"
        )
    if status in (408, 409, 425, 429) or status >= 500 or status < 400:
        wait = answer.headers.get("Retry-After", "")
        raise GatewayUnavailable(said, int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else None)
    if status == 404 or any(part in text.lower() for part in _ABSENT):
        raise Absent(said)
    if code == "GATEWAY_ERROR" or _DECLINED.fullmatch(reason):
        raise Declined(said)
    if _AMOUNT.search(text.lower()):
        raise AmountRefused(said)
    raise GatewayRefused(said)


def _error_of(answer: Response) -> tuple[str, str, str]:
    try:
        found = answer.json()
    except HttpError:
        return "", "", ""
    error = found.get("error") if isinstance(found, dict) else None
    if not isinstance(error, dict):
        return "", "", ""
    words = [error.get("code"), error.get("reason")]
    code, reason = (each if isinstance(each, str) and _WORD.fullmatch(each) else "" for each in words)
    text = error.get("description")
    return code, reason, text if isinstance(text, str) else ""
