"""What signing up and in can refuse."""

from hortus.core.errors import Conflict, Forbidden, NotFound, Problem, Unauthenticated


class EmailTaken(Conflict):
    """Somebody has an account with this address."""

    code, title = "email_taken", "This e-mail address has an account"
    detail = "Sign in instead, or reset the password."


class BadCredentials(Unauthenticated):
    """Unknown account or wrong password: the same answer, after the same work."""

    code, title = "bad_credentials", "Wrong e-mail address or password"
    detail = "Check both and try again."


class BadPassword(Forbidden):
    """The wrong password of somebody who is signed in."""

    code, title = "bad_password", "Wrong password"
    detail = "Check the password of this account and try again."


class BadRefreshToken(Unauthenticated):
    """Unknown, expired, or of a revoked session."""

    code, title = "bad_refresh_token", "This refresh token is not good"
    detail = "Sign in again."


class RefreshReused(Unauthenticated):
    """A refresh token came a second time: somebody may have stolen it, so the session is revoked."""

    code, title = "refresh_reused", "This refresh token was used before"
    detail = "The session was revoked for safety. Sign in again."


class WeakPassword(Problem):
    """Too easy to guess. `feedback` says what would help."""

    code, status, title = "weak_password", 422, "This password is too easy to guess"
    detail = "Choose a longer or less common password."


class AccountSuspended(Forbidden):
    """An operator suspended this account."""

    code, title = "account_suspended", "This account is suspended"
    detail = "Contact the operator of this service."


class ReauthenticationRequired(Forbidden):
    """The session proved who holds it too long ago for this."""

    code, title = "reauthentication_required", "Prove again that it is you"
    detail = "Send the password to POST /api/auth/reauthenticate (or use a second factor), then try again."


class CrossSiteRequest(Forbidden):
    """A request by cookie that another website may have sent."""

    code, title = "cross_site_request", "This request may come from another website"
    detail = "Send the header `Hortus-Session: cookie` from a page of this service, or use a bearer token."


class SetupClosed(Forbidden):
    """The setup token is wrong or was used."""

    code, title = "setup_closed", "Setup is not open"
    detail = "The setup token is wrong or was used. An administrator can be made with `hortus create-admin`."


class SessionNotFound(NotFound):
    """No such session, or not yours."""

    code = "session_not_found"
    detail = "There is no such session, or it is not yours."


class Busy(Problem):
    """Too many sign-ins at once."""

    code, status, title = "busy", 503, "Too many sign-ins at the moment"
    detail = "Try again in a few seconds."


class LastWayIn(Conflict):
    """Without this there would be no way to sign in."""

    code, title = "last_way_in", "This is the last way into your account"
    detail = "Add a password, a verified address or number, a passkey, or a connected account first."


class UserNotFound(NotFound):
    """No user has this id."""

    code = "user_not_found"
    detail = "There is no such user."


class NothingToChange(Conflict):
    """It is so already."""

    code, title = "nothing_to_change", "It is so already"
    detail = "The user is in that state already; read it again."


class LastAdministrator(Conflict):
    """Without this administrator there would be none."""

    code, title = "last_administrator", "This is the last administrator"
    detail = "Make somebody else an administrator first."
