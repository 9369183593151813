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
    `deadline_seconds` bounds the wait.
    """

    job_name: str
    flow_run_id: str
    since: datetime
    number: int = 1
    arguments: Mapping[str, str] = field(default_factory=dict)
    deadline_seconds: float = 48 * 3600.0

    @property
    def key(self) -> str:
        return run_key(self.flow_run_id, self.number)
