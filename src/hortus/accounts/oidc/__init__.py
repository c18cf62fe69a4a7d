"""Signing in through any OpenID Connect issuer: Google, a company's own, a self-hosted one."""

from hortus.accounts.oidc.flows import sweep as sweep_flows
from hortus.accounts.oidc.provider import Provider, Providers
from hortus.accounts.oidc.roles import RoleGiven, role_given
from hortus.accounts.oidc.settings import ProviderSettings, read_providers

__all__ = ["Provider", "ProviderSettings", "Providers", "RoleGiven", "read_providers", "role_given", "sweep_flows"]
