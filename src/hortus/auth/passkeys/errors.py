"""Errors of passkeys."""

from hortus.core.errors import Conflict, NotFound, Problem, Unauthenticated


class BadPasskey(Unauthenticated):
    """An unknown key, a wrong signature, another site, a challenge that is not open: the same answer."""

    code, title = "bad_passkey", "This passkey is invalid"
    detail = "Request new options and try again, or sign in with another method."


class PasskeyCopied(Unauthenticated):
    """The signature is valid but its counter decreased: the key was copied to another device."""

    code, title = "passkey_copied", "This passkey may have been copied"
    detail = "Sign in with another method, remove this passkey and register a new one."


class PasskeyNotVerified(Problem):
    """The browser's response does not match the registration options."""

    code, status, title = "passkey_not_verified", 422, "This passkey could not be verified"
    detail = "Request new options and register the passkey on a page of this site, with a device that verifies you."


class PasskeyKnown(Conflict):
    """The authenticator's key is registered already."""

    code, title = "passkey_known", "This passkey is registered already"
    detail = "Sign in with it, or use another device."


class TooManyPasskeys(Conflict):
    """As many as one user may have."""

    code, title = "too_many_passkeys", "There are as many passkeys as an account may have"
    detail = "Remove one that you no longer use."


class PasskeyNotFound(NotFound):
    """No such passkey, or not yours."""

    code = "passkey_not_found"
    detail = "There is no such passkey, or it is not yours."


class PasskeysNotOffered(Problem):
    """The installation is reached by an address without a name."""

    code, status, title = "passkeys_not_offered", 503, "Passkeys are not offered here"
    detail = "Passkeys need a host name. The operator sets it with PUBLIC_URL."
