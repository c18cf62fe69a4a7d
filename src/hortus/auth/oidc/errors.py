"""What signing in through an issuer can refuse."""

from hortus.core.errors import Conflict, Forbidden, NotFound, Unauthenticated, Unavailable


class OidcProviderNotFound(NotFound):
    """No issuer is configured under this name."""

    code = "oidc_provider_not_found"
    detail = "No sign-in is configured under this name; GET /api/auth/oidc lists those that are."


class OidcUnavailable(Unavailable):
    """The issuer does not answer, or not as an issuer should."""

    code, title = "oidc_unavailable", "The sign-in service does not answer"
    detail = "Try again in a little while, or sign in another way."


class OidcStateInvalid(Forbidden):
    """A callback that this browser did not begin, or that came before, or too late."""

    code, title = "oidc_state_invalid", "This sign-in was not begun here"
    detail = "The sign-in has expired, was used, or was begun in another browser. Begin again."


class OidcDenied(Forbidden):
    """The user, or the issuer for them, said no."""

    code, title = "oidc_denied", "The sign-in was not granted"
    detail = "The sign-in was cancelled or refused there. Begin again, or sign in another way."


class OidcRefused(Forbidden):
    """What the issuer said does not hold: wrong signature, audience, nonce, time, or a refused code."""

    code, title = "oidc_refused", "The sign-in could not be verified"
    detail = "What the sign-in service said could not be verified. Begin again."


class OidcSignupClosed(Forbidden):
    """Nobody here has this account, and the operator lets nobody sign up with one."""

    code, title = "oidc_signup_closed", "No account here belongs to this sign-in"
    detail = "Sign in the way you usually do and connect this account in your settings, or ask the operator."


class LinkRequired(Conflict):
    """Somebody has an account with this e-mail address, and the rule does not connect the two."""

    code, title = "link_required", "This e-mail address has an account"
    detail = "Sign in the way you usually do, then connect this sign-in in your settings."


class ExternalAccountTaken(Conflict):
    """It is a way into somebody else's account."""

    code, title = "external_account_taken", "This sign-in belongs to another account"
    detail = "Disconnect it from the other account first, or choose another."


class ExternalAccountNotFound(NotFound):
    """No such external account, or not yours."""

    code = "external_account_not_found"
    detail = "There is no such connected account, or it is not yours."


class BadExchangeCode(Unauthenticated):
    """Unknown, expired, used, or of another browser."""

    code, title = "bad_exchange_code", "This exchange code is not good"
    detail = "The code works once, for two minutes, where the sign-in was begun. Begin again."
