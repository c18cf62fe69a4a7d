"""Signing in through any OpenID Connect issuer: Google, a company's own, a self-hosted one."""

from hortus.auth.oidc.flows import sweep_oidc_flows
from hortus.auth.oidc.provider import OidcProvider, OidcProviders
from hortus.auth.oidc.roles import RoleGrant, role_granted_by_issuer
from hortus.auth.oidc_settings import OidcProviderSettings, read_oidc_providers

__all__ = [
    "OidcProvider",
    "OidcProviderSettings",
    "OidcProviders",
    "RoleGrant",
    "read_oidc_providers",
    "role_granted_by_issuer",
    "sweep_oidc_flows",
]
