"""The directory of users, for staff."""

from hortus.accounts.directory.service import (
    Person,
    PersonDetails,
    Reached,
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

__all__ = [
    "Person",
    "PersonDetails",
    "Reached",
    "Role",
    "find_people",
    "give_role",
    "keep_an_administrator",
    "lock_administrators",
    "person_details",
    "sign_out_everywhere",
    "status_of",
    "suspend",
    "unsuspend",
]
