"""Structured logs that cannot hold personal data: a field that is not on the list is dropped, and of an exception only
its type and the places it went through are written, for its words may quote what somebody typed."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog

ALLOWED = {
    "action", "at", "attempt", "code", "count", "error", "event", "exception", "level", "method", "node", "op",
    "path", "port", "processed", "reason", "request", "revision", "route", "seconds", "sessions", "status",
    "timestamp", "topic", "type", "url", "version", "what", "why",
}  # fmt: skip
"""Fields that a log line may have. Whoever adds one makes sure that no name, address, id of a person, SDP or free text
can be in it."""

Line = MutableMapping[str, Any]


def only_allowed(logger: Any, method: str, line: Line) -> Line:
    """Drop every field that is not on the list, and say which."""
    dropped = sorted(line.keys() - ALLOWED)
    for name in dropped:
        del line[name]
    if dropped:
        line["what"] = f"dropped: {', '.join(dropped)}"
    return line


def bare_exception(logger: Any, method: str, line: Line) -> Line:
    """An exception as its type and the functions it passed, without its message."""
    info = line.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if isinstance(info, tuple) and info[0] is not None:
        line["exception"] = f"{_chain(info[1])} at {_places(info[2])}"
    return line


def _chain(error: BaseException | None) -> str:
    names: list[str] = []
    while error is not None and len(names) < 5:
        names.append(type(error).__name__)
        error = error.__cause__ or error.__context__
    return " < ".join(names)


def _places(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)[-12:]
    return " > ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames)


class _Foreign(logging.Handler):
    """Libraries' own logging, as level and origin; their words may quote anything."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, "library", what=record.name, op=record.funcName, exc_info=record.exc_info
        )


def set_up(*, development: bool) -> None:
    """JSON lines on standard error; in development, lines for people."""
    renderer = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if development
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            bare_exception,
            only_allowed,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Foreign()], level=logging.WARNING, force=True)
