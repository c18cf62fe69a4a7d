"""Authentication: passwords, one-time codes, second factors, passkeys, OpenID Connect, API keys, and the caller."""

from hortus.auth.access import close_account
from hortus.auth.access_tokens import AccessTokens
from hortus.auth.api_keys import KeyUseRecorder, ModelNotAllowed, NamedKey, keys_of, keys_since, require_scope
from hortus.auth.api_keys import revoke_all as revoke_keys
from hortus.auth.credentials import CredentialCounts, count_credentials, require_remaining_credential
from hortus.auth.deps import Admin, Caller, RecentCaller, Staff, limited_caller
from hortus.auth.device_cookie import DeviceCookie
from hortus.auth.mfa import remove_factors, sweep_challenges
from hortus.auth.oidc import (
    OidcProviders,
    OidcProviderSettings,
    RoleGrant,
    read_oidc_providers,
    role_granted_by_issuer,
    sweep_oidc_flows,
)
from hortus.auth.oidc_settings import ConfiguredIssuers
from hortus.auth.open_streams import enforce_stream_access
from hortus.auth.otp import OtpHasher, message_time, notify_user, sweep_otps
from hortus.auth.otp.hasher import otp_hasher_of
from hortus.auth.otp.settings import OtpSettings
from hortus.auth.passkeys import passkey_count, remove_passkeys
from hortus.auth.passkeys import sweep_challenges as sweep_passkey_challenges
from hortus.auth.password_policy import BreachSettings, PasswordPolicy
from hortus.auth.password_strength import check_strength, service_names
from hortus.auth.passwords import PasswordPool
from hortus.auth.session_cookies import clear_session_cookies
from hortus.auth.startup import open_auth
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
    "OidcProviderSettings",
    "OidcProviders",
    "OtpHasher",
    "OtpSettings",
    "PasswordPolicy",
    "PasswordPool",
    "RecentCaller",
    "RoleGrant",
    "Staff",
    "Throttle",
    "check_strength",
    "clear_session_cookies",
    "close_account",
    "count_credentials",
    "enforce_stream_access",
    "keys_of",
    "keys_since",
    "limited_caller",
    "mark_reauthenticated",
    "message_time",
    "notify_user",
    "open_auth",
    "otp_hasher_of",
    "passkey_count",
    "read_oidc_providers",
    "remove_factors",
    "remove_passkeys",
    "require_recent_authentication",
    "require_remaining_credential",
    "require_scope",
    "revoke_keys",
    "role_granted_by_issuer",
    "service_names",
    "sweep_buckets",
    "sweep_challenges",
    "sweep_oidc_flows",
    "sweep_otps",
    "sweep_passkey_challenges",
]
