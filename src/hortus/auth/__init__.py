"""Signing in: passwords, one-time codes, second factors, passkeys, OpenID Connect, API keys; and who is calling."""

from hortus.auth.access import close_account
from hortus.auth.access_tokens import AccessTokens
from hortus.auth.api_keys import KeyUses, ModelNotAllowed, NamedKey, keys_of, keys_since
from hortus.auth.api_keys import demand as demand_scope
from hortus.auth.api_keys import revoke_all as revoke_keys
from hortus.auth.credentials import WaysIn, keep_a_way_in, ways_in
from hortus.auth.deps import Admin, Caller, RecentCaller, Staff, limited_caller
from hortus.auth.device_cookie import DeviceCookie
from hortus.auth.mfa import remove_factors, sweep_challenges
from hortus.auth.oidc import Providers as OidcProviders
from hortus.auth.oidc import ProviderSettings as OidcProviderSettings
from hortus.auth.oidc import RoleGiven
from hortus.auth.oidc import read_providers as read_oidc_providers
from hortus.auth.oidc import role_given as role_given_by_issuer
from hortus.auth.oidc import sweep_flows as sweep_oidc_flows
from hortus.auth.open_streams import streams_checked
from hortus.auth.otp import Codes, moment, tell_user
from hortus.auth.otp import sweep as sweep_codes
from hortus.auth.otp.settings import CodeSettings
from hortus.auth.passkeys import passkey_count, remove_passkeys
from hortus.auth.passkeys import sweep_challenges as sweep_passkey_challenges
from hortus.auth.password_policy import BreachSettings, NewPasswords
from hortus.auth.password_strength import check_strength, service_names
from hortus.auth.passwords import PasswordPool
from hortus.auth.session_cookies import signed_out
from hortus.auth.step_up import authenticated_again, recently_authenticated
from hortus.auth.throttle import Throttle, sweep_lanes

__all__ = [
    "AccessTokens",
    "Admin",
    "BreachSettings",
    "Caller",
    "CodeSettings",
    "Codes",
    "DeviceCookie",
    "KeyUses",
    "ModelNotAllowed",
    "NamedKey",
    "NewPasswords",
    "OidcProviderSettings",
    "OidcProviders",
    "PasswordPool",
    "RecentCaller",
    "RoleGiven",
    "Staff",
    "Throttle",
    "WaysIn",
    "authenticated_again",
    "check_strength",
    "close_account",
    "demand_scope",
    "keep_a_way_in",
    "keys_of",
    "keys_since",
    "limited_caller",
    "moment",
    "passkey_count",
    "read_oidc_providers",
    "recently_authenticated",
    "remove_factors",
    "remove_passkeys",
    "revoke_keys",
    "role_given_by_issuer",
    "service_names",
    "signed_out",
    "streams_checked",
    "sweep_challenges",
    "sweep_codes",
    "sweep_lanes",
    "sweep_oidc_flows",
    "sweep_passkey_challenges",
    "tell_user",
    "ways_in",
]
