"""Authentication: passwords, one-time codes, second factors, passkeys, OpenID Connect, API keys, and the caller."""

from hortus.auth.access import close_account
from hortus.auth.access_tokens import AccessTokens
from hortus.auth.api_keys import KeyUseRecorder, ModelNotAllowed, NamedKey, keys_of, keys_since
from hortus.auth.api_keys import demand as demand_scope
from hortus.auth.api_keys import revoke_all as revoke_keys
from hortus.auth.credentials import CredentialCounts, count_credentials, require_remaining_credential
from hortus.auth.deps import Admin, Caller, RecentCaller, Staff, limited_caller
from hortus.auth.device_cookie import DeviceCookie
from hortus.auth.mfa import remove_factors, sweep_challenges
from hortus.auth.oidc import Providers as OidcProviders
from hortus.auth.oidc import ProviderSettings as OidcProviderSettings
from hortus.auth.oidc import RoleGrant
from hortus.auth.oidc import read_providers as read_oidc_providers
from hortus.auth.oidc import role_granted as role_granted_by_issuer
from hortus.auth.oidc import sweep_flows as sweep_oidc_flows
from hortus.auth.oidc_settings import ConfiguredIssuers
from hortus.auth.open_streams import streams_checked
from hortus.auth.otp import OtpHasher, message_time, notify_user
from hortus.auth.otp import sweep as sweep_codes
from hortus.auth.otp.hasher import otp_hasher_of
from hortus.auth.otp.settings import OtpSettings
from hortus.auth.passkeys import passkey_count, remove_passkeys
from hortus.auth.passkeys import sweep_challenges as sweep_passkey_challenges
from hortus.auth.password_policy import BreachSettings, NewPasswords
from hortus.auth.password_strength import check_strength, service_names
from hortus.auth.passwords import PasswordPool
from hortus.auth.session_cookies import clear_session_cookies
from hortus.auth.step_up import mark_reauthenticated, require_recent_authentication
from hortus.auth.throttle import Throttle, sweep_buckets

__all__ = [
    "AccessTokens",
    "Admin",
    "BreachSettings",
    "Caller",
    "ConfiguredIssuers",
    "CredentialCounts",
    "DeviceCookie",
    "KeyUseRecorder",
    "ModelNotAllowed",
    "NamedKey",
    "NewPasswords",
    "OidcProviderSettings",
    "OidcProviders",
    "OtpHasher",
    "OtpSettings",
    "PasswordPool",
    "RecentCaller",
    "RoleGrant",
    "Staff",
    "Throttle",
    "check_strength",
    "clear_session_cookies",
    "close_account",
    "count_credentials",
    "demand_scope",
    "keys_of",
    "keys_since",
    "limited_caller",
    "mark_reauthenticated",
    "message_time",
    "notify_user",
    "otp_hasher_of",
    "passkey_count",
    "read_oidc_providers",
    "remove_factors",
    "remove_passkeys",
    "require_recent_authentication",
    "require_remaining_credential",
    "revoke_keys",
    "role_granted_by_issuer",
    "service_names",
    "streams_checked",
    "sweep_buckets",
    "sweep_challenges",
    "sweep_codes",
    "sweep_oidc_flows",
    "sweep_passkey_challenges",
]
