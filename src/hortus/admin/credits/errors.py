"""Errors of credit grants by administrators."""

from hortus.core.errors import Conflict, Forbidden, NotFound


class CreditRequestNotFound(NotFound):
    """No request has this id."""

    code = "credit_request_not_found"
    detail = "There is no such request for credits."


class SecondApproverNeeded(Forbidden):
    """The administrator who requested or receives the credits cannot approve them."""

    code, title = "second_approver_needed", "Another administrator must approve this"
    detail = "Ask an administrator who neither requested nor receives these credits."


class AlreadyDecided(Conflict):
    """The request was granted, rejected or reversed before."""

    code, title = "already_decided", "This was decided already"
    detail = "Read the request again: `status` is its current state."
