"""Errors of API keys and their management."""

from hortus.core.errors import Conflict, Forbidden, NotFound, Unauthenticated


class BadKey(Unauthenticated):
    """The key is mistyped, unknown, revoked, disabled or expired."""

    code, title = "bad_api_key", "This API key is invalid"
    detail = "Check the key for typing errors, or create a new one in your account."


class ScopeMissing(Forbidden):
    """The key lacks the scopes of this route, or the route is not open to keys at all (`needs` is empty)."""

    code, title = "scope_missing", "This API key may not do that"
    detail = "Give the key one of the scopes in `needs`. Where that is empty, sign in instead: no key may do this."


class AddressNotAllowed(Forbidden):
    """The call came from an address that the key does not list."""

    code, title = "address_not_allowed", "This API key may not be used from here"
    detail = "Add the address you call from to the key's `addresses`."


class ModelNotAllowed(Forbidden):
    """The key is limited to other models."""

    code, title = "model_not_allowed", "This API key may not use that model"
    detail = "Choose one of the key's models, named in `models`, or allow the key another one."


class KeyNotFound(NotFound):
    """No such key, or not yours."""

    code = "key_not_found"
    detail = "There is no such API key, or it is not yours."


class TooManyKeys(Conflict):
    """Every user may have so many."""

    code, title = "too_many_keys", "You have as many API keys as one account may have"
    detail = "Remove a key that you no longer use, then create the new one."
