"""Errors of generations, with texts for customers."""

from hortus.core.errors import Conflict, Invalid, NotFound, Problem


class GenerationNotFound(NotFound):
    """No such generation, or not yours."""

    code = "generation_not_found"
    detail = "There is no such generation, or it is not yours."


class AlreadyEnded(Conflict):
    """It has ended; there is nothing to cancel."""

    code = "generation_ended"
    detail = "This generation has already ended."


class NotRetryable(Conflict):
    """Only a failed or cancelled generation can be retried."""

    code = "not_retryable"
    detail = "Only a failed or cancelled generation can be retried."


class RetryRunning(Conflict):
    """One retry of a generation runs at a time; `generation_id` names it."""

    code, title = "retry_running", "A retry of this generation is running"
    detail = "Follow the generation that `generation_id` names. Once it has ended, this one can be retried again."


class NothingToDownload(Conflict):
    """There is no output (yet)."""

    code = "no_output"
    detail = "This generation has no file to download. Check its `status`."


class NotAnImage(Problem):
    """The named file is not an image."""

    code, status, title = "not_an_image", 422, "That file is not an image"
    detail = "Name an image that you uploaded or generated."


class GenerationFailed(Problem):
    """The work was accepted and failed; nothing was charged. `reason` is the generation's error code."""

    code, status, title = "generation_failed", 502, "The text could not be generated"
    detail = "No provider delivered a result. Nothing was charged; try again in a little while."


class PromptRefused(Problem):
    """The provider refused the prompt; nothing was charged."""

    code, status, title = "prompt_refused", 422, "The prompt was refused"
    detail = "The provider refused this prompt. Nothing was charged; change it and try again."


DETAILS = {
    "unavailable": "No provider delivered a result. Nothing was charged; try again in a little while.",
    "not_offered": "No provider can do this until the operator of this service acts. Nothing was charged.",
    "policy": "The provider refused this prompt. Nothing was charged; change it and try again.",
    "bad_input": "The provider could not use this input. Nothing was charged.",
    "too_long": "The input is too long for every model that was tried. Nothing was charged.",
    "source_missing": "The source image was deleted. Nothing was charged.",
    "taken_down": "The operator of this service took this down. Contact them if you think that is a mistake.",
    "cancelled": "It was cancelled before it had any content. Nothing was charged.",
    "interrupted": "The work was interrupted too many times. Nothing was charged; try again.",
}
"""The text for customers of each `error.code` of a failed generation."""


def unknown_option(field: str, offered: list[str]) -> Invalid:
    """The error for an option that no provider of the route has; `offered` lists the valid ones."""
    detail = f"This {field} is not offered. Choose one of `offered`."
    return Invalid(errors=[{"field": field, "detail": detail}], offered=offered)
