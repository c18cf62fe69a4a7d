"""Errors of chat."""

from hortus.core.errors import Conflict, NotFound


class RoomNotFound(NotFound):
    """No such room, or not yours."""

    code = "chatroom_not_found"
    detail = "There is no such chatroom, or it is not yours."


class MessageNotFound(NotFound):
    """No such message in this room."""

    code = "message_not_found"
    detail = "There is no such message in this chatroom."


class ReplyPending(Conflict):
    """One reply to a message, or to one edit of it, is written at a time; `message_id` and `generation_id` name it."""

    code, title = "reply_pending", "A reply to this message is being written"
    detail = "Wait for the reply that `message_id` names, or cancel the generation that `generation_id` names."


class WrongRole(Conflict):
    """Replies are regenerated, own messages are edited."""

    code = "wrong_role"
    detail = "Regenerate a reply of the assistant; edit a message of your own."
