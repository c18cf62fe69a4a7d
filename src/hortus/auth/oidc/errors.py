"""Errors of signing in with OpenID Connect."""

from hortus.core.errors import Conflict, Forbidden, NotFound, ServiceUnavailable, Unauthenticated


class OidcProviderNotFound(NotFound):
    """No issuer is configured under this name."""

    code = "oidc_provider_not_found"
    detail = "No sign-in is configured under this name; GET /api/auth/oidc lists those that are."


class OidcUnavailable(ServiceUnavailable):
    """The issuer does not answer, or not as an issuer should."""

    code, title = "oidc_unavailable", "The sign-in service does not answer"
    detail = "Try again in a little while, or sign in another way."


class OidcStateInvalid(Forbidden):
    """A callback that this browser did not begin, or that came before, or too late."""

    code, title = "oidc_state_invalid", "This sign-in was not begun here"
    detail = "The sign-in has expired, was used, or was begun in another browser. Begin again."


class OidcDenied(Forbidden):
    """The user cancelled, or the provider denied the request."""

    code, title = "oidc_denied", "The sign-in was not granted"
    detail = "The sign-in was cancelled or refused there. Begin again, or sign in another way."


class OidcRefused(Forbidden):
    """The provider's response is invalid: signature, audience, nonce, time or code."""

    code, title = "oidc_refused", "The sign-in could not be verified"
    detail = "The response of the sign-in service could not be verified. Start again."


class OidcSignupClosed(Forbidden):
    """The external account is not connected, and sign-up with this provider is disabled."""

    code, title = "oidc_signup_closed", "No account here belongs to this sign-in"
    detail = "Sign in with another method and connect this account in your settings, or ask the operator."


class LinkRequired(Conflict):
    """The e-mail address belongs to an account, and linking by e-mail is disabled."""

    code, title = "link_required", "This e-mail address has an account"
    detail = "Sign in the way you usually do, then connect this sign-in in your settings."


class ExternalAccountTaken(Conflict):
    """The external account is connected to another user."""

    code, title = "external_account_taken", "This sign-in belongs to another account"
    detail = "Disconnect it from the other account first, or choose another."


class ExternalAccountNotFound(NotFound):
    """No such external account, or not yours."""

    code = "external_account_not_found"
    detail = "There is no such connected account, or it is not yours."


class BadExchangeCode(Unauthenticated):
    """Unknown, expired, used, or of another browser."""

    code, title = "bad_exchange_code", "This exchange code is invalid"
    detail = "The code works once, for two minutes, where the sign-in was begun. Begin again."
