"""Structured logs: readable lines on a terminal, JSON elsewhere, each with its request id.

Tracebacks come without local variables: those hold tokens and prompts.
"""

import contextlib
import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from hortus.core import context
from hortus.core.telemetry import metrics

Report = Callable[[dict[str, Any]], None]
_report: Report | None = None
_SECRET = re.compile("password|secret|token|authorization|api_key|code_hash|cookie", re.IGNORECASE)


def _add_request_id(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line.setdefault("request_id", context.request_id.get())
    return line


def _hide_secrets(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in line:
        if _SECRET.search(key):
            line[key] = "[hidden]"
    return line


def report_to(report: Report | None) -> None:
    """Also pass every line of level error to `report`; None stops that."""
    global _report  # noqa: PLW0603 - one process has one log
    _report = report


def _note_errors(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if line.get("level") in ("error", "critical"):
        metrics.LOG_ERRORS.inc()
        if _report is not None:
            with contextlib.suppress(Exception):  # a failing report must not lose the line
                _report(dict(line))
    return line


def configure(level: str = "info", style: str = "auto") -> None:
    """Set up logging for this process. `style`: auto, json or console."""
    pretty = style == "console" or (style == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
        _hide_secrets,
        _note_errors,
    ]
    ending = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if pretty
        else [
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
    )
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.getLevelNamesMapping()[level.upper()], logging.INFO))
    for noisy in ("uvicorn.access", "aiosqlite", "asyncio", "alembic.runtime.plugins"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
