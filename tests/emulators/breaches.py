"""The range API of a list of leaked passwords: five characters in, all endings out, padded when asked."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.emulators.base import Emulator


def sha1(password: str) -> str:
    return hashlib.sha1(password.encode()).hexdigest().upper()


@dataclass(kw_only=True)
class BreachEmulator(Emulator):
    """Knows the passwords in `leaked`."""

    leaked: set[str] = field(default_factory=set)

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/range/{prefix}", self._range)]

    def error(self, mode: str, status: int) -> tuple[dict[str, str], Any]:
        return {}, {"statusCode": status, "message": mode}

    async def _range(self, request: web.Request) -> web.Response:
        prefix = request.match_info["prefix"]
        if len(prefix) != 5:
            return web.Response(status=400, text="The hash prefix was not in a valid format")
        lines = [f"{sha1(each)[5:]}:42" for each in self.leaked if sha1(each).startswith(prefix)]
        lines += [f"{sha1(prefix + str(number))[5:]}:7" for number in range(20)]
        if request.headers.get("Add-Padding") == "true":
            lines += [f"{sha1('padding' + str(number))[5:]}:0" for number in range(800)]
            lines += [f"{sha1(each)[5:]}:0" for each in ("padded but never leaked 9",) if sha1(each).startswith(prefix)]
        return web.Response(text="\r\n".join(sorted(lines)), content_type="text/plain")
