"""Errors of authentication and of identifier verification."""

from hortus.core.errors import Conflict, Forbidden, NotFound, Problem, Unauthenticated


class BadCredentials(Unauthenticated):
    """Unknown account or wrong password: the same answer, after the same work."""

    code, title = "bad_credentials", "Wrong e-mail address or password"
    detail = "Check both and try again."


class BadPassword(Forbidden):
    """A signed-in user sent a wrong password."""

    code, title = "bad_password", "Wrong password"
    detail = "Check the password of this account and try again."


class BadRefreshToken(Unauthenticated):
    """Unknown, expired, or of a revoked session."""

    code, title = "bad_refresh_token", "This refresh token is invalid"
    detail = "Sign in again."


class RefreshReused(Unauthenticated):
    """A refresh token was used twice, so it may be stolen: the session is revoked."""

    code, title = "refresh_reused", "This refresh token was used before"
    detail = "The session was revoked for safety. Sign in again."


class WeakPassword(Problem):
    """The password is too easy to guess. `feedback` lists improvements."""

    code, status, title = "weak_password", 422, "This password is too easy to guess"
    detail = "Choose a longer or less common password."


class ReauthenticationRequired(Forbidden):
    """The session was not authenticated recently enough for this operation."""

    code, title = "reauthentication_required", "Reauthentication is required"
    detail = "Send the password to POST /api/auth/reauthenticate (or use a second factor), then try again."


class CrossSiteRequest(Forbidden):
    """A request by cookie that another website may have sent."""

    code, title = "cross_site_request", "This request may come from another website"
    detail = "Send the header `Hortus-Session: cookie` from a page of this service, or use a bearer token."


class Busy(Problem):
    """Too many sign-ins at once."""

    code, status, title = "busy", 503, "Too many sign-ins at the moment"
    detail = "Try again in a few seconds."


class LastCredential(Conflict):
    """Without this credential the user could not sign in."""

    code, title = "last_credential", "This is the last credential of your account"
    detail = "Add a password, a verified address or number, a passkey, or a connected account first."


class IdentifierTaken(Conflict):
    """The identifier belongs to another account. Reported only to a caller who has verified it."""

    code, title = "identifier_taken", "This address or number signs in to another account"
    detail = "You have shown that it is yours: sign in with it, and remove it there first."


class IdentifierNotFound(NotFound):
    """No such identifier, or not yours."""

    code = "identifier_not_found"
    detail = "There is no such identifier, or it is not yours."


class SignInToVerify(Forbidden):
    """The account has a verified owner: only a signed-in caller can verify further identifiers."""

    code, title = "sign_in_to_verify", "Sign in to verify this address"
    detail = "Sign in to the account that has this address, then follow the link or send the code again."


class WrongCode(Forbidden):
    """A signed-in user sent a code that is wrong, expired, used or locked."""

    code, title = "wrong_code", "This code is invalid"
    detail = "The code is wrong, has expired, or was used or tried too often. Check it, or request a new one."
