"""Records of users: identifiers, sessions, devices, consents, roles and status. Knows no web framework."""

from hortus.accounts.admin import (
    AdminUser,
    AdminUserDetails,
    Role,
    get_user,
    give_role,
    lock_administrators,
    require_remaining_administrator,
    search_users,
    sign_out_everywhere,
    status_of,
    suspend,
    unsuspend,
)
from hortus.accounts.consents import ConsentChange, ConsentKind, change_consent, consent_changed
from hortus.accounts.deletion import account_reopened, begin_erasure
from hortus.accounts.devices import sweep_devices
from hortus.accounts.principals import Budgets, Principal, PrincipalCache, sessions_changed, user_changed
from hortus.accounts.profile_extensions import ProfileExtensions
from hortus.accounts.sessions import is_live as session_is_live
from hortus.accounts.signup_bonus import SignupBonusRule, signup_bonus_due
from hortus.accounts.users import (
    Profile,
    create_setup_token,
    of_active_user,
    profile_of,
    register,
    staff_created,
    user_referred,
    user_registered,
)

__all__ = [
    "AdminUser",
    "AdminUserDetails",
    "Budgets",
    "ConsentChange",
    "ConsentKind",
    "Principal",
    "PrincipalCache",
    "Profile",
    "ProfileExtensions",
    "Role",
    "SignupBonusRule",
    "account_reopened",
    "begin_erasure",
    "change_consent",
    "consent_changed",
    "create_setup_token",
    "get_user",
    "give_role",
    "lock_administrators",
    "of_active_user",
    "profile_of",
    "register",
    "require_remaining_administrator",
    "search_users",
    "session_is_live",
    "sessions_changed",
    "sign_out_everywhere",
    "signup_bonus_due",
    "staff_created",
    "status_of",
    "suspend",
    "sweep_devices",
    "unsuspend",
    "user_changed",
    "user_referred",
    "user_registered",
]
