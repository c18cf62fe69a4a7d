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
from hortus.accounts.consents import ConsentChange, ConsentKind, SignUpDetails, change_consent, consent_changed
from hortus.accounts.deletion import account_reopened, begin_erasure, reopen_account
from hortus.accounts.devices import KnownDevice, sweep_devices
from hortus.accounts.errors import AccountSuspended, LastAdministrator, SessionNotFound
from hortus.accounts.identifiers import IdentifierOwner, delete_unverified, find_owner, mark_verified
from hortus.accounts.principals import (
    ACCESS_CHANGED,
    Budgets,
    Principal,
    PrincipalCache,
    digest_of_name,
    keys_changed,
    sessions_changed,
    user_changed,
)
from hortus.accounts.profile_extensions import ProfileExtensions
from hortus.accounts.secret_tokens import digest_of, new_secret
from hortus.accounts.sessions import add_refresh_token, principal_of, revoke_session
from hortus.accounts.sessions import is_live as session_is_live
from hortus.accounts.signup_bonus import SignupBonusRule, claim_signup_bonus, signup_bonus_due
from hortus.accounts.tables import SIGN_IN_STATUSES, Device, Identifier, RefreshToken, Session, User
from hortus.accounts.targets import Target, keyed_digest, mobile, person_digests
from hortus.accounts.user_agent import device_name
from hortus.accounts.users import (
    Profile,
    create_setup_token,
    create_user,
    of_active_user,
    profile_of,
    register,
    staff_created,
    user_referred,
    user_registered,
)

__all__ = [
    "ACCESS_CHANGED",
    "SIGN_IN_STATUSES",
    "AccountSuspended",
    "AdminUser",
    "AdminUserDetails",
    "Budgets",
    "ConsentChange",
    "ConsentKind",
    "Device",
    "Identifier",
    "IdentifierOwner",
    "KnownDevice",
    "LastAdministrator",
    "Principal",
    "PrincipalCache",
    "Profile",
    "ProfileExtensions",
    "RefreshToken",
    "Role",
    "Session",
    "SessionNotFound",
    "SignUpDetails",
    "SignupBonusRule",
    "Target",
    "User",
    "account_reopened",
    "add_refresh_token",
    "begin_erasure",
    "change_consent",
    "claim_signup_bonus",
    "consent_changed",
    "create_setup_token",
    "create_user",
    "delete_unverified",
    "device_name",
    "digest_of",
    "digest_of_name",
    "find_owner",
    "get_user",
    "give_role",
    "keyed_digest",
    "keys_changed",
    "lock_administrators",
    "mark_verified",
    "mobile",
    "new_secret",
    "of_active_user",
    "person_digests",
    "principal_of",
    "profile_of",
    "register",
    "reopen_account",
    "require_remaining_administrator",
    "revoke_session",
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
