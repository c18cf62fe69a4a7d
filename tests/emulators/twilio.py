"""Twilio's Messages resource: checks the account, the form and the numbers as the real one does."""

import base64
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from tests.emulators.base import Emulator, main

ERRORS = {
    "bad_request": (21211, "The 'To' number is not a valid phone number."),
    "unauthorized": (20003, "Authenticate"),
    "forbidden": (20003, "Account is suspended"),
    "unknown_model": (20404, "The requested resource was not found"),
    "rate_limited": (20429, "Too Many Requests"),
    "error": (20500, "Internal server error"),
    "overloaded": (20503, "Service unavailable"),
}
NUMBER = re.compile(r"\+[1-9]\d{7,14}")


@dataclass(kw_only=True)
class TwilioEmulator(Emulator):
    """Its API is at `url`. `sent` holds the forms it accepted."""

    account_sid: str = "AC" + "0" * 32
    auth_token: str = "twilio-token"
    sender: str = "+15005550006"
    service_sid: str = "MG" + "1" * 32
    sent: list[dict[str, str]] = field(default_factory=list)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/2010-04-01/Accounts/{sid}/Messages.json", self._send),
            web.get("/2010-04-01/Accounts/{sid}.json", self._account),
        ]

    def error(self, mode: str, status: int) -> tuple[dict[str, str], Any]:
        code, message = ERRORS[mode]
        # The real one quotes the number; ours must not let that through.
        said = f"{message} {self.calls[-1].body.decode()}"
        headers = {"Retry-After": self.retry_after} if status == 429 and self.retry_after else {}
        return headers, {"code": code, "message": said, "status": status, "more_info": f"https://e.example/{code}"}

    def _refuse(self, mode: str, status: int) -> web.Response:
        _, body = self.error(mode, status)
        return web.json_response(body, status=status)

    async def _account(self, request: web.Request) -> web.Response:
        right = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {right}":
            return self._refuse("unauthorized", 401)
        return web.json_response({"sid": self.account_sid, "status": "active"})

    async def _send(self, request: web.Request) -> web.Response:
        right = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {right}":
            return self._refuse("unauthorized", 401)
        if request.match_info["sid"] != self.account_sid:
            return self._refuse("unknown_model", 404)
        if request.content_type != "application/x-www-form-urlencoded":
            return self._refuse("bad_request", 400)
        form = {name: values[0] for name, values in parse_qs((await request.read()).decode()).items()}
        known = form.get("From") == self.sender or form.get("MessagingServiceSid") == self.service_sid
        if not NUMBER.fullmatch(form.get("To", "")) or not known or not 0 < len(form.get("Body", "")) <= 1600:
            return self._refuse("bad_request", 400)
        self.sent.append(form)
        made = {"sid": f"SM{len(self.sent):032d}", "status": "queued", "error_code": None, "to": form["To"]}
        return web.json_response({**made, "body": form["Body"], "account_sid": self.account_sid}, status=201)


if __name__ == "__main__":
    main(TwilioEmulator)
