"""What passkeys can refuse."""

from hortus.core.errors import Conflict, NotFound, Problem, Unauthenticated


class BadPasskey(Unauthenticated):
    """An unknown key, a wrong signature, another site, a challenge that is not open: the same answer."""

    code, title = "bad_passkey", "This passkey is not good"
    detail = "Ask for fresh options and try again, or sign in another way."


class PasskeyCopied(Unauthenticated):
    """The signature is good and its counter went backwards: two devices have this key."""

    code, title = "passkey_copied", "This passkey may have been copied"
    detail = "Sign in another way, remove this passkey and make a new one."


class PasskeyNotVerified(Problem):
    """What the browser made does not fit what was asked for here."""

    code, status, title = "passkey_not_verified", 422, "This passkey could not be verified"
    detail = "Ask for fresh options and make the passkey on a page of this site, with a device that verifies you."


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
