"""Signing in through any OpenID Connect issuer: Google, a company's own, a self-hosted one."""

from hortus.auth.oidc.flows import sweep as sweep_flows
from hortus.auth.oidc.provider import Provider, Providers
from hortus.auth.oidc.roles import RoleGrant, role_granted
from hortus.auth.oidc_settings import ProviderSettings, read_providers

__all__ = ["Provider", "ProviderSettings", "Providers", "RoleGrant", "read_providers", "role_granted", "sweep_flows"]
