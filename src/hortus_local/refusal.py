"""The one error of the media worker; the parent turns it into one of the provider's five."""

from typing import Literal


class Refusal(Exception):
    """The job has no result. `reason` is used only when `code` is `rejected`."""

    def __init__(
        self,
        code: Literal["rejected", "unsupported", "unavailable"],
        detail: str,
        reason: Literal["bad_input", "too_long"] = "bad_input",
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.reason = reason
