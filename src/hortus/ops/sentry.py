"""Reports of errors to Sentry, where SENTRY_DSN is set: each line that is logged as an error becomes an event.

An event has the place in the code but no person: no request, no user, no local variables, no values of exceptions that
were not scrubbed.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import hortus
from hortus.core.configuration import UnsafeSettings
from hortus.core.settings import Settings
from hortus.core.telemetry import log

TAGS: Final = ("request_id", "task", "id", "method", "check", "provider", "model", "code", "attempt", "dependency")
"""The fields of a log line that are sent as tags; no other field is sent."""
_PRIVATE: Final = (
    (re.compile(r"[\w.+%-]+@[\w-]+(\.[\w-]+)+"), "[e-mail]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), r"\1 [secret]"),
    (re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://[^\s/@]*@"), "[credentials]@"),
    (
        re.compile(r"(?i)((?:password|secret|token|key|code|otp|signature)\w*[\"']?\s*[=:]\s*)[\"']?[^\s\"',&)]+"),
        r"\1[secret]",
    ),
    (re.compile(r"\b(?:sk|pk|rk|whsec|hk|AIza|r8)[-_]?[A-Za-z0-9_-]{12,}"), "[secret]"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "[secret]"),
    (re.compile(r"(?<![\w-])\+?\d[\d ()]{8,}\d(?![\w-])"), "[number]"),
    (re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b"), "[address]"),
)  # fmt: skip
LONGEST: Final = 500


def scrub(text: str) -> str:
    """The text without personal data and secrets."""
    # A database error repeats the parameters of the statement: values of customers' rows.
    text = re.split(r"\[parameters:|DETAIL:", text, maxsplit=1)[0]
    for pattern, instead in _PRIVATE:
        text = pattern.sub(instead, text)
    return text[:LONGEST]


@asynccontextmanager
async def report_errors(settings: Settings) -> AsyncIterator[None]:
    """Report errors while the block runs. Raises UnsafeSettings without the library or with a DSN that is none."""
    dsn = settings.sentry_dsn.get_secret_value()
    if not dsn:
        yield
        return
    try:
        import sentry_sdk  # noqa: PLC0415 - loaded only where wanted
    except ImportError as error:
        raise UnsafeSettings("SENTRY_DSN is set: install hortus[observe].") from error
    try:
        client = sentry_sdk.Client(
            dsn=dsn,
            release=f"hortus@{hortus.__version__}",
            environment=settings.sentry_environment,
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            include_source_context=False,
            max_breadcrumbs=0,
            server_name="",
            before_send=_cleaned,
        )
    except ValueError as error:
        raise UnsafeSettings("SENTRY_DSN is not the address of a Sentry project.") from error

    def report(line: dict[str, Any]) -> None:
        scope = sentry_sdk.Scope(client=client)
        for name in TAGS:
            if line.get(name) is not None:
                scope.set_tag(name, scrub(str(line[name])))
        raised = line.get("exc_info")
        event: dict[str, Any] = {"level": "error", "message": scrub(str(line.get("event"))), "logger": "hortus"}
        if raised:
            info = sys.exc_info() if raised is True else raised
            described, hint = sentry_sdk.utils.event_from_exception(info, client_options=client.options)
            event |= described
        else:
            hint = {}
        client.capture_event(event, hint, scope)  # type: ignore[arg-type]

    log.report_to(report)
    try:
        yield
    finally:
        log.report_to(None)
        await asyncio.to_thread(client.close, timeout=2.0)


def _cleaned(event: Any, _hint: Any) -> Any:
    for name in ("request", "user", "breadcrumbs", "extra", "modules", "server_name"):
        event.pop(name, None)
    for raised in (event.get("exception") or {}).get("values", ()):
        raised["value"] = scrub(str(raised.get("value") or ""))
        for frame in (raised.get("stacktrace") or {}).get("frames", ()):
            frame.pop("vars", None)
            frame.pop("abs_path", None)
    return event
