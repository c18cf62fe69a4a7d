"""The WebAuthn relying party: its id, and the origins that may use its passkeys."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from hortus.auth.passkeys.errors import PasskeysNotOffered
from hortus.core.settings import LOOPBACK, Settings

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - recognised here, not bound
USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The relying party of WebAuthn: `rp_id` is a host name, `origins` are as browsers write them."""

    rp_id: str
    origins: tuple[str, ...]


def relying_party_of(settings: Settings) -> RelyingParty:
    """The relying party by the settings. Its id is PASSKEY_RP_ID or else the host of FRONTEND_BASE_URL or PUBLIC_URL,
    and its origins are those of both that are under the id.

    A server on the loopback interface is called localhost. Raises PasskeysNotOffered for an address without a name:
    browsers do not create passkeys for it.
    """
    public_url = settings.public_url or f"http://{_host_of(settings)}:{settings.port}"
    pages = [
        urlsplit(address.strip().lower()) for address in (settings.frontend_base_url, public_url) if address.strip()
    ]
    name = settings.passkey_rp_id.strip().lower() or _named(pages[0].hostname or "")
    if not name or _is_address(name):
        raise PasskeysNotOffered
    under = [page for page in pages if _is_under(_named(page.hostname or ""), name)]
    return RelyingParty(name, tuple(dict.fromkeys(_origin(page) for page in under)))


def _host_of(settings: Settings) -> str:
    return "localhost" if settings.host in (*LOOPBACK, *EVERYWHERE) else settings.host


def _named(host: str) -> str:
    return "localhost" if host in LOOPBACK else host


def _is_under(host: str, name: str) -> bool:
    return host == name or host.endswith(f".{name}")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _origin(page: SplitResult) -> str:
    host = f"{page.scheme}://{_named(page.hostname or '')}"
    return host if page.port in (None, USUAL_PORTS.get(page.scheme)) else f"{host}:{page.port}"
