"""Device names from user agents. Only known words are used: the header is untrusted and appears in e-mails."""

import re
from functools import lru_cache

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)
_PRODUCT = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,29}(?=/|$)")
UNKNOWN = "an unknown device"


@lru_cache(maxsize=256)
def device_name(user_agent: str) -> str:
    """`Firefox on Windows`, `curl`, `an unknown device`: the same for every version of the same program."""
    if user_agent.startswith("Mozilla/"):
        browser = next((name for mark, name in _BROWSERS if mark in user_agent), None)
        system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
        named = [part for part in (browser, system) if part]
        return " on ".join(named) if named else UNKNOWN
    product = _PRODUCT.match(user_agent)
    return product.group() if product else UNKNOWN
