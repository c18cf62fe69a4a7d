"""Records of users: identifiers, sessions, devices, consents, roles and status. Knows no web framework."""

from hortus.accounts.admin import (
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
from hortus.accounts.consents import Consent, ConsentKind, change_consent, consent_said
from hortus.accounts.deletion import account_reopened, begin_erasure
from hortus.accounts.devices import sweep_devices
from hortus.accounts.principals import Budgets, Principal, PrincipalCache, sessions_changed, user_changed
from hortus.accounts.profile_extensions import ProfileExtensions
from hortus.accounts.sessions import is_live as session_is_live
from hortus.accounts.signup_bonus import SignupBonusRule, signup_bonus_due
from hortus.accounts.users import (
    Profile,
    of_active_user,
    offer_setup,
    profile_of,
    register,
    staff_made,
    user_referred,
    user_registered,
)

__all__ = [
    "Budgets",
    "Consent",
    "ConsentKind",
    "Person",
    "PersonDetails",
    "Principal",
    "PrincipalCache",
    "Profile",
    "ProfileExtensions",
    "Role",
    "SignupBonusRule",
    "account_reopened",
    "begin_erasure",
    "change_consent",
    "consent_said",
    "find_people",
    "give_role",
    "keep_an_administrator",
    "lock_administrators",
    "of_active_user",
    "offer_setup",
    "person_details",
    "profile_of",
    "register",
    "session_is_live",
    "sessions_changed",
    "sign_out_everywhere",
    "signup_bonus_due",
    "staff_made",
    "status_of",
    "suspend",
    "sweep_devices",
    "unsuspend",
    "user_changed",
    "user_referred",
    "user_registered",
]
