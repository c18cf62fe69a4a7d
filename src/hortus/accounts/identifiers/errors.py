"""What identifiers can refuse."""

from hortus.core.errors import Conflict, Forbidden, NotFound


class IdentifierTaken(Conflict):
    """Told only to those who have just proved that the address or number is theirs."""

    code, title = "identifier_taken", "This address or number signs in to another account"
    detail = "You have shown that it is yours: sign in with it, and remove it there first."


class IdentifierNotFound(NotFound):
    """No such identifier, or not yours."""

    code = "identifier_not_found"
    detail = "There is no such identifier, or it is not yours."


class TooManyIdentifiers(Conflict):
    """Enough is enough."""

    code, title = "too_many_identifiers", "This account has enough addresses and numbers"
    detail = "Remove one that you do not use, then add the new one."


class SignInToVerify(Forbidden):
    """The account was shown to be somebody's in another way: only who is signed in to it adds to what it has."""

    code, title = "sign_in_to_verify", "Sign in to verify this address"
    detail = "Sign in to the account that has this address, then follow the link or send the code again."


class WrongCode(Forbidden):
    """The code of somebody who is signed in: wrong, expired, used or locked."""

    code, title = "wrong_code", "This code is not good"
    detail = "The code is wrong, has expired, or was used or tried too often. Check it, or ask for a new one."
