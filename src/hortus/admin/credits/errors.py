"""What giving credits can refuse."""

from hortus.core.errors import Conflict, Forbidden, NotFound


class CreditRequestNotFound(NotFound):
    """Nobody asked for that."""

    code = "credit_request_not_found"
    detail = "There is no such request for credits."


class SecondApproverNeeded(Forbidden):
    """Whoever asked, or would gain, cannot be the second pair of eyes."""

    code, title = "second_approver_needed", "Another administrator must approve this"
    detail = "Ask another administrator, who neither asked for these credits nor receives them."


class AlreadyDecided(Conflict):
    """It was granted, rejected or reversed before."""

    code, title = "already_decided", "This was decided already"
    detail = "Read the request again: `status` says what became of it."
