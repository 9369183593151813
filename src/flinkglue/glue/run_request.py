"""What to run, and under which key it is found again. Pure."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flinkglue.glue.attempts import run_key

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]
"""What gets a line per decision."""


@dataclass(frozen=True)
class RunRequest:
    """What to run, and under which key it is found again.

    `number` counts the attempts from 1; `since` is when the first can have started;
    `deadline_seconds` bounds the wait. It counts from `asked_at`, however often the wait is taken
    up again; without that, from the call.
    """

    job_name: str
    flow_run_id: str
    since: datetime
    number: int = 1
    arguments: Mapping[str, str] = field(default_factory=dict)
    deadline_seconds: float = 48 * 3600.0
    asked_at: datetime | None = None

    @property
    def key(self) -> str:
        return run_key(self.flow_run_id, self.number)

    def waited_seconds(self, now: datetime) -> float:
        """How much of the deadline has passed."""
        return max(0.0, (now - self.asked_at).total_seconds()) if self.asked_at else 0.0
