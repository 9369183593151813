"""What to run, and under which key it is found again. Pure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flinkglue.glue.attempts import run_key
from flinkglue.glue.failures.own_rules import FailureRule
from flinkglue.glue.models import JobPlace
from flinkglue.glue.options import RunOptions

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]
"""What gets a line per decision."""

ReadSecrets = Callable[[Mapping[str, str]], Mapping[str, str]]
"""From the references in `RunRequest.secret_arguments` to the values that a run gets."""


def no_secrets(references: Mapping[str, str]) -> Mapping[str, str]:
    """For runs without secret arguments."""
    assert not references, "somebody must know what the references stand for"
    return {}


@dataclass(frozen=True)
class RunRequest:
    """What to run, and under which key it is found again.

    `number` counts the attempts from 1; `since` is when the first can have started;
    `deadline_seconds` bounds the wait. It counts from `requested_at`, or from the start of a run
    that is adopted, however often the wait is taken up again; without either, from the call. When
    the run was `requested_again`, after the flow run had ended, its start does not count.
    `secret_arguments` says by argument name where the value is found; the values are nowhere here.
    `failure_rules` are the person's own, which go before the table.
    `restore_order` has the job's connections put back once no run needs their order any more.
    `allow_lost_settings` lets the order be written although the job loses something by it that
    cannot be read or is not known here. Without `wait_for_end` a run that holds its addresses is
    enough. `may_exist` is False when the caller knows that nobody has tried to start a run of this
    key before, nor does now; it only saves a reading of the list of runs. `place` keeps what is
    shown of jobs of one name apart.
    """

    job_name: str
    flow_run_id: str
    since: datetime
    number: int = 1
    arguments: Mapping[str, str] = field(default_factory=dict)
    deadline_seconds: float = 48 * 3600.0
    requested_at: datetime | None = None
    requested_again: bool = False
    options: RunOptions = field(default_factory=RunOptions)
    secret_arguments: Mapping[str, str] = field(default_factory=dict)
    restore_order: bool = False
    allow_lost_settings: bool = False
    failure_rules: tuple[FailureRule, ...] = ()
    wait_for_end: bool = True
    may_exist: bool = True
    place: JobPlace = field(default_factory=JobPlace)

    @property
    def key(self) -> str:
        return run_key(self.flow_run_id, self.number)

    def waited_seconds(self, now: datetime, started_on: datetime | None = None) -> float:
        """How much of the deadline has passed, since the run was requested or, if earlier, began.

        A run that another process adopts has been waited for before; when a person requests one
        again whose deadline has passed, the wait counts from then.
        """
        began = None if self.requested_again else started_on
        since = [moment for moment in (self.requested_at, began) if moment is not None]
        return max(0.0, (now - min(since)).total_seconds()) if since else 0.0
