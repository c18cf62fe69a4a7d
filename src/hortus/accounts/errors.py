"""Errors of users, sessions and identifiers."""

from hortus.core.errors import Conflict, Forbidden, NotFound


class EmailTaken(Conflict):
    """The e-mail address belongs to an account."""

    code, title = "email_taken", "This e-mail address has an account"
    detail = "Sign in instead, or reset the password."


class AccountSuspended(Forbidden):
    """An operator suspended this account."""

    code, title = "account_suspended", "This account is suspended"
    detail = "Contact the operator of this service."


class SetupClosed(Forbidden):
    """The setup token is wrong or was used."""

    code, title = "setup_closed", "Setup is not open"
    detail = "The setup token is wrong or was used. Create an administrator with `hortus create-admin`."


class SessionNotFound(NotFound):
    """No such session, or not yours."""

    code = "session_not_found"
    detail = "There is no such session, or it is not yours."


class UserNotFound(NotFound):
    """No user has this id."""

    code = "user_not_found"
    detail = "There is no such user."


class NothingToChange(Conflict):
    """The user is in the requested state already."""

    code, title = "nothing_to_change", "It is so already"
    detail = "The user is in that state already; read it again."


class LastAdministrator(Conflict):
    """Without this administrator there would be none."""

    code, title = "last_administrator", "This is the last administrator"
    detail = "Make another user an administrator first."


class TooManyIdentifiers(Conflict):
    """The user has the maximum number of identifiers."""

    code, title = "too_many_identifiers", "This account has enough addresses and numbers"
    detail = "Remove one that you do not use, then add the new one."
