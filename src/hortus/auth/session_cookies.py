"""Session cookies of browsers: tokens in cookies that scripts cannot read, as an alternative to bearer tokens.

A client that signs in with the header `Hortus-Session: cookie` gets cookies instead of tokens. Browsers send cookies
with cross-site requests too, so a request that changes data by cookie must have that header again, which other
websites cannot add without CORS, and its origin must be one of this installation.
"""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from hortus.auth.errors import CrossSiteRequest
from hortus.auth.schemas import TokensOut
from hortus.core.settings import Settings
from hortus.core.web import cookies
from hortus.core.web.deps import resources_of

HEADER, BY_COOKIE = "hortus-session", "cookie"
ACCESS, REFRESH = "access", "refresh"
_SAFE = ("GET", "HEAD", "OPTIONS")


def wanted(connection: HTTPConnection) -> bool:
    """Whether the client requests cookies instead of tokens; raises CrossSiteRequest for another website."""
    if connection.headers.get(HEADER) != BY_COOKIE:
        return False
    _refuse_other_websites(connection)
    return True


def access_token(connection: HTTPConnection) -> str | None:
    """The access token in the cookie, if any; raises CrossSiteRequest where another website may have sent it."""
    token = cookies.read(connection, ACCESS)
    if token is not None and connection.scope["method"] not in _SAFE:
        _refuse_other_websites(connection)
    return token


def refresh_token(connection: HTTPConnection) -> str | None:
    """The refresh token in the cookie, if any; raises CrossSiteRequest where another website may have sent it."""
    token = cookies.read(connection, REFRESH)
    if token is not None:
        _refuse_other_websites(connection)
    return token


def put(connection: HTTPConnection, tokens: TokensOut, *, seconds: int) -> None:
    """Send the tokens as cookies; the refresh token stays for `seconds`."""
    cookies.put(connection, ACCESS, tokens.access_token, tokens.expires_in)
    cookies.put(connection, REFRESH, tokens.refresh_token, seconds)


def without_tokens(tokens: TokensOut) -> TokensOut:
    """The response without tokens, for a client with cookies."""
    return tokens.model_copy(update={"access_token": "", "refresh_token": ""})


def end(connection: HTTPConnection) -> None:
    """Delete both cookies in the browser."""
    for name in (ACCESS, REFRESH):
        if cookies.read(connection, name) is not None:
            cookies.drop(connection, name)


def clear_session_cookies(connection: HTTPConnection) -> None:
    """Delete the session cookies and the data of this origin in the browser."""
    end(connection)
    # Other cookies stay: one of them identifies the device.
    cookies.add_header(connection, "Clear-Site-Data", '"cache", "storage"')


def _refuse_other_websites(connection: HTTPConnection) -> None:
    headers = connection.headers
    origins = headers.getlist("origin")
    if headers.get(HEADER) != BY_COOKIE or len(origins) > 1:
        raise CrossSiteRequest
    if origins and not _ours(connection, origins[0]):
        raise CrossSiteRequest
    if not origins and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise CrossSiteRequest


def _ours(connection: HTTPConnection, origin: str) -> bool:
    settings = resources_of(connection)[Settings]
    if origin in settings.origins:
        return True
    asked = urlsplit(origin)
    plain = asked.scheme == "http" and not settings.public_url.startswith("https:")
    return (asked.scheme == "https" or plain) and asked.netloc == connection.headers.get("host")
