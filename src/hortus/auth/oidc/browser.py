"""The cookie that ties an OIDC flow to a browser, and the redirect back to the front end."""

from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from hortus.accounts import digest_of
from hortus.auth.oidc.flows import FLOW_LIFETIME
from hortus.core.settings import Settings

MOST = 20
LONGEST = 100


def _prefix(settings: Settings) -> str:
    # With this prefix browsers accept the cookie only from this host over https.
    return "__Host-hortus-oidc-" if settings.origin.startswith("https:") else "hortus-oidc-"


def _name(settings: Settings, browser_digest: str) -> str:
    return _prefix(settings) + browser_digest[:12]


def set_flow_cookie(response: Response, settings: Settings, secret: str) -> None:
    """Leave the secret in the browser; each sign-in has a cookie of its own, so tabs do not disturb each other."""
    response.set_cookie(
        _name(settings, digest_of(secret)),
        secret,
        max_age=int(FLOW_LIFETIME.total_seconds()),
        path="/",
        secure=settings.origin.startswith("https:"),
        httponly=True,
        samesite="lax",  # the callback is a navigation from the issuer's site
    )


def delete_flow_cookie(response: Response, settings: Settings, browser_digest: str) -> None:
    """Take the cookie of one sign-in away."""
    secure = settings.origin.startswith("https:")
    response.delete_cookie(_name(settings, browser_digest), path="/", secure=secure, httponly=True, samesite="lax")


def secrets_of(request: Request, settings: Settings) -> list[str]:
    """Every secret of a sign-in that this browser holds."""
    prefix = _prefix(settings)
    found = [value for name, value in request.cookies.items() if name.startswith(prefix) and len(value) <= LONGEST]
    return found[:MOST]


def redirect_to_front_end(settings: Settings, return_to: str, **result: str) -> RedirectResponse:
    """Redirect to a path of the configured front end. The result is in the fragment, which is not sent to servers or
    written to logs.
    """
    base = (settings.frontend_base_url or settings.origin).rstrip("/")
    return RedirectResponse(f"{base}{return_to}#{urlencode(result)}", status_code=303)
