"""Who you are and what you may do."""

from hortus.accounts.auth import Admin, Caller, RecentCaller, limited_caller
from hortus.accounts.extras import ProfileExtras
from hortus.accounts.factors import remove_factors, sweep_challenges
from hortus.accounts.passwords import PasswordPool, check_strength
from hortus.accounts.principal import Principal, PrincipalCache, sessions_changed, user_changed
from hortus.accounts.service import offer_setup, register, user_registered
from hortus.accounts.sessions import authenticated_again, recently_authenticated
from hortus.accounts.tokens import AccessTokens
from hortus.accounts.ways_in import WaysIn, keep_a_way_in, ways_in

__all__ = [
    "AccessTokens",
    "Admin",
    "Caller",
    "PasswordPool",
    "Principal",
    "PrincipalCache",
    "ProfileExtras",
    "RecentCaller",
    "WaysIn",
    "authenticated_again",
    "check_strength",
    "keep_a_way_in",
    "limited_caller",
    "offer_setup",
    "recently_authenticated",
    "register",
    "remove_factors",
    "sessions_changed",
    "sweep_challenges",
    "user_changed",
    "user_registered",
    "ways_in",
]
