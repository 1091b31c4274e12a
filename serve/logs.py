"""Log lines: one JSON object a line, to standard error.

A ticket's text must never get here. An exception's own message may quote its input, so of an
exception only its type and the places it went through are written.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

log = logging.getLogger("serve")


class JsonFormatter(logging.Formatter):
    """``ts``, ``level``, ``event`` and the fields given as ``extra={"fields": {...}}``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON, ASCII only, so that no line break can be smuggled in."""
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "pid": record.process,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1]:
            line |= describe(record.exc_info[1])
        return json.dumps(line, default=str)


def describe(error: BaseException) -> dict[str, Any]:
    """An exception without its message: its type, and ``file:line`` of the last frames."""
    frames = traceback.extract_tb(error.__traceback__)[-5:]
    return {
        "error": type(error).__name__,
        "at": [f"{frame.filename}:{frame.lineno}" for frame in frames],
    }


def decided(answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Fields that tell of a request's decisions: counts, and no word of a ticket."""
    return {
        "tickets": len(answers),
        "actions": dict(Counter(its["action"] for its in answers)),
        "stages": dict(Counter(its["stage"] for its in answers)),
        "late": sum(its["late"] for its in answers),
    }


def configure(level: str = "info") -> None:
    """Send the process's log lines to standard error; other libraries only from warnings up.

    Args:
        level: of the lines that are written.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    log.setLevel(level.upper())
