"""Start-up of sign-in: keys, caches and clients that its handlers share."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from hortus.accounts import PrincipalCache
from hortus.auth.access_tokens import AccessTokens
from hortus.auth.api_keys import KeyUseRecorder
from hortus.auth.device_cookie import DeviceCookie
from hortus.auth.oidc import OidcProviders
from hortus.auth.oidc_settings import ConfiguredIssuers
from hortus.auth.otp.hasher import otp_hasher_of
from hortus.auth.password_policy import BreachSettings, PasswordPolicy
from hortus.auth.password_strength import service_names as forbidden_names
from hortus.auth.passwords import PasswordPool
from hortus.auth.throttle import Throttle
from hortus.core.cache import LEASE_SECONDS, CacheVersions
from hortus.core.configuration import Configuration
from hortus.core.db import Database
from hortus.core.http import Http
from hortus.core.settings import Settings


@asynccontextmanager
async def open_auth(
    configuration: Configuration, database: Database, http: Http, versions: CacheVersions, service_names: Sequence[str]
) -> AsyncIterator[Sequence[object]]:
    """What handlers find in `Resources` by type. No password may consist of one of the `service_names`."""
    settings = configuration.get(Settings)
    uses, names = KeyUseRecorder(database), forbidden_names(settings, *service_names)
    yield (
        AccessTokens(settings),
        DeviceCookie(settings),
        OidcProviders(configuration.get(ConfiguredIssuers).providers, http),
        PasswordPolicy(settings, http, configuration.get(BreachSettings), names),
        PasswordPool(),
        PrincipalCache(_cache_seconds(settings), versions),
        Throttle(settings),
        configuration.derived(otp_hasher_of),
        uses,
    )
    await uses.close()


def _cache_seconds(settings: Settings) -> float:
    """Seconds for which a session may be cached; without Redis, an ended one must be noticed at once."""
    if settings.principal_cache_seconds is not None:
        return settings.principal_cache_seconds
    return LEASE_SECONDS if settings.redis_url else 0.0
