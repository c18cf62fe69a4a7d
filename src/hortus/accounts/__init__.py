"""Who you are and what you may do."""

from hortus.accounts.access import of_active_user
from hortus.accounts.auth import Admin, Caller, RecentCaller, Staff, limited_caller
from hortus.accounts.closing import account_reopened, begin_erasure, close_account
from hortus.accounts.codes import Codes, Welcome, moment, tell_user, user_welcomed
from hortus.accounts.codes import sweep as sweep_codes
from hortus.accounts.codes.settings import CodeSettings
from hortus.accounts.consents import Consent, ConsentKind, change_consent, consent_said
from hortus.accounts.devices import DeviceCookie, sweep_devices
from hortus.accounts.directory import (
    Person,
    PersonDetails,
    Role,
    find_people,
    give_role,
    keep_an_administrator,
    lock_administrators,
    person_details,
    sign_out_everywhere,
    status_of,
    suspend,
    unsuspend,
)
from hortus.accounts.extras import ProfileExtras
from hortus.accounts.factors import remove_factors, sweep_challenges
from hortus.accounts.keys import KeyUses, ModelNotAllowed, NamedKey, keys_of, keys_since
from hortus.accounts.keys import demand as demand_scope
from hortus.accounts.keys import revoke_all as revoke_keys
from hortus.accounts.new_passwords import BreachSettings, NewPasswords
from hortus.accounts.oidc import Providers as OidcProviders
from hortus.accounts.oidc import ProviderSettings as OidcProviderSettings
from hortus.accounts.oidc import RoleGiven
from hortus.accounts.oidc import read_providers as read_oidc_providers
from hortus.accounts.oidc import role_given as role_given_by_issuer
from hortus.accounts.oidc import sweep_flows as sweep_oidc_flows
from hortus.accounts.open_streams import streams_checked
from hortus.accounts.passkeys import remove_passkeys
from hortus.accounts.passkeys import sweep_challenges as sweep_passkey_challenges
from hortus.accounts.passwords import PasswordPool
from hortus.accounts.principal import Budgets, Principal, PrincipalCache, sessions_changed, user_changed
from hortus.accounts.service import (
    Profile,
    offer_setup,
    profile_of,
    register,
    staff_made,
    user_referred,
    user_registered,
)
from hortus.accounts.sessions import authenticated_again, recently_authenticated
from hortus.accounts.sessions import is_live as session_is_live
from hortus.accounts.strength import check_strength, service_names
from hortus.accounts.throttle import Throttle, sweep_lanes
from hortus.accounts.tokens import AccessTokens
from hortus.accounts.ways_in import WaysIn, keep_a_way_in, ways_in
from hortus.accounts.web_session import signed_out

__all__ = [
    "AccessTokens",
    "Admin",
    "BreachSettings",
    "Budgets",
    "Caller",
    "CodeSettings",
    "Codes",
    "Consent",
    "ConsentKind",
    "DeviceCookie",
    "KeyUses",
    "ModelNotAllowed",
    "NamedKey",
    "NewPasswords",
    "OidcProviderSettings",
    "OidcProviders",
    "PasswordPool",
    "Person",
    "PersonDetails",
    "Principal",
    "PrincipalCache",
    "Profile",
    "ProfileExtras",
    "RecentCaller",
    "Role",
    "RoleGiven",
    "Staff",
    "Throttle",
    "WaysIn",
    "Welcome",
    "account_reopened",
    "authenticated_again",
    "begin_erasure",
    "change_consent",
    "check_strength",
    "close_account",
    "consent_said",
    "demand_scope",
    "find_people",
    "give_role",
    "keep_a_way_in",
    "keep_an_administrator",
    "keys_of",
    "keys_since",
    "limited_caller",
    "lock_administrators",
    "moment",
    "of_active_user",
    "offer_setup",
    "person_details",
    "profile_of",
    "read_oidc_providers",
    "recently_authenticated",
    "register",
    "remove_factors",
    "remove_passkeys",
    "revoke_keys",
    "role_given_by_issuer",
    "service_names",
    "session_is_live",
    "sessions_changed",
    "sign_out_everywhere",
    "signed_out",
    "staff_made",
    "status_of",
    "streams_checked",
    "suspend",
    "sweep_challenges",
    "sweep_codes",
    "sweep_devices",
    "sweep_lanes",
    "sweep_oidc_flows",
    "sweep_passkey_challenges",
    "tell_user",
    "unsuspend",
    "user_changed",
    "user_referred",
    "user_registered",
    "user_welcomed",
    "ways_in",
]
