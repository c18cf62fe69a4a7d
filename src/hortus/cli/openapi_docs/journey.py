"""The calls of a first session with the API, in order, as the API page and the Postman collection show them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One request of the journey; `id` is the operation's."""

    name: str
    id: str
    status: int = 200
    body: dict[str, Any] | None = None
    """Instead of a sample made from the schema."""
    keeps: tuple[tuple[str, str], ...] = ()
    """Variables, and where in the answer their values are."""
    until: tuple[str, str] | None = None
    """The call is repeated until this field of the answer has this value."""
    bearer: str | None = None
    """The variable with another token than the access token."""
    query: tuple[tuple[str, str], ...] = ()
    code: str | None = None
    """The error code of the answer, where it is a problem."""
    anonymous: bool = False
    """Sent without a token."""


TOKENS = (("access_token", "access_token"), ("refresh_token", "refresh_token"))
SIGN_UP = {"email": "{{email}}", "password": "{{password}}", "name": "Asha", "accept_terms": True}
REPLY = (("message_id", "reply.id"), ("generation_id", "generation_id"))
KEY = {"name": "From Postman", "scopes": ["text", "usage:read"]}

JOURNEY = (
    Step("Is it up?", "ready"),
    Step("Sign up", "register", 201, SIGN_UP, (*TOKENS, ("user_id", "user.id"))),
    Step("Sign in", "login", 200, {"email": "{{email}}", "password": "{{password}}"}, TOKENS),
    Step("Stay signed in", "refresh", 200, {"refresh_token": "{{refresh_token}}"}, TOKENS),
    Step("Who am I?", "me"),
    Step("What is offered?", "list_models"),
    Step("What would it cost?", "quote", 200, {"kind": "image", "prompt": "A lake at dawn"}),
    Step("Write a text", "generate_text", 200, {"prompt": "A tagline for a tea shop"}),
    Step("Make an image", "generate_image", 202, {"prompt": "A lake at dawn"}, (("generation_id", "id"),)),
    Step("Wait for the image", "read_generation", until=("status", "succeeded")),
    Step("Download the image", "download"),
    Step("What did I make?", "list_generations", query=(("limit", "10"),)),
    Step("Open a room", "create_room", 201, {"title": "From Postman"}, (("room_id", "id"),)),
    Step(
        "Send a message",
        "send_message",
        202,
        {"content": "Hello"},
        REPLY,
    ),
    Step("Wait for the reply", "read_generation", until=("status", "succeeded")),
    Step("Read the room", "read_room"),
    Step("What is left?", "usage"),
    Step("Make an API key", "create_key", 201, KEY, (("key_id", "id"), ("api_key", "secret"))),
    Step("Ask with the key", "usage", bearer="api_key"),
    Step("Remove the key", "remove_key", 204),
    Step("Prices", "price_list"),
)

ERRORS = (
    Step("Without a token", "me", 401, code="unauthenticated", anonymous=True),
    Step(
        "With a wrong password",
        "login",
        401,
        {"email": "nobody@example.com", "password": "not the password"},
        code="bad_credentials",
    ),
    Step("With a field of another type", "create_room", 422, {"title": 7}, code="invalid_request"),
    Step("With a page that is too long", "list_generations", 422, query=(("limit", "1000"),), code="invalid_request"),
)
"""Calls that fail, with the status of their answer."""
