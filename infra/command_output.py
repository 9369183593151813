"""What commands print: the outcome as JSON on standard output, the story on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from flinkglue.texts import printable


def say(line: str) -> None:
    """A line of the story."""
    print(printable(line), file=sys.stderr, flush=True)


def print_outcome(value: Mapping[str, Any]) -> None:
    """The outcome; what JSON does not know is printed as text."""
    print(json.dumps(value, indent=2, default=str), flush=True)
