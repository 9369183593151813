"""What commands print: the outcome as JSON on standard output, the story on standard error."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flinkglue.texts import printable


def say(line: str) -> None:
    """A line of the story."""
    print(printable(line), file=sys.stderr, flush=True)


def story_log(name: str) -> logging.Logger:
    """A logger whose lines are those of the story, without level and time."""
    log = logging.getLogger(name)
    log.setLevel(logging.INFO)
    log.propagate = False  # Prefect adds a time without its zone
    log.handlers = [_Says()]
    return log


class _Says(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def print_outcome(value: Mapping[str, Any]) -> None:
    """The outcome; times as ISO 8601 has them, and what else JSON does not know as text."""
    print(json.dumps(value, indent=2, default=_text), flush=True)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
