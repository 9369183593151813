"""What a Flink job's state means for somebody who waits. Unknown states never end a wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from flinkglue.azure.jobs.rows import view_of
from flinkglue.azure.models import (
    ENDED_BY_SOMEBODY,
    FAILED_STATES,
    FINISHED,
    ArmFlinkJob,
    plain_status,
)
from flinkglue.lifecycle.models import JobView
from flinkglue.stack_trace import last_cause


class WaitUntil(StrEnum):
    """How far a wait goes."""

    SUBMITTED = "submitted"
    RUNNING = "running"
    FINISHED = "finished"


QueryFlink = Callable[[str], JobView | None]
"""Looks a job up in Flink by its id; None when Flink does not know it or cannot be reached."""


@dataclass(frozen=True)
class JobProgress:
    """How far a submitted job is.

    Args:
        flink: The job as Flink itself shows it, if it does.
        seconds: How long this wait has taken so far.
        queried_flink: Whether Flink was queried, so that ARM's RUNNING alone is not enough.
    """

    row: ArmFlinkJob
    flink: JobView | None = None
    seconds: float = 0.0
    queried_flink: bool = False

    @property
    def view(self) -> JobView:
        """The job as ARM and Flink show it together."""
        return view_of(self.row, self.flink)

    @property
    def state(self) -> str:
        """The state to show: Flink's own if known, except for what only ARM can know."""
        arm = plain_status(self.row.status)
        if arm in FAILED_STATES | ENDED_BY_SOMEBODY or self.flink is None:
            return arm or "UNKNOWN"
        return self.flink.state

    @property
    def tasks_verified(self) -> bool:
        """Whether Flink itself said that tasks run, or that the job ended."""
        return self.flink is not None and (
            self.flink.is_running_for_real or self.flink.state == FINISHED
        )

    @property
    def has_ended(self) -> bool:
        """Whether the job will do no more."""
        return self.state == FINISHED or self.state in FAILED_STATES | ENDED_BY_SOMEBODY

    @property
    def duration_seconds(self) -> float:
        """How long the job ran by Flink's word, or else how long was waited."""
        ran_seconds = self.view.duration_seconds
        return self.seconds if ran_seconds is None else ran_seconds

    @property
    def failure(self) -> str | None:
        """Why the job counts as failed; None when it does not."""
        if self.state in FAILED_STATES:
            by_flink = self.flink.exception if self.flink else None
            causes = filter(None, (last_cause(self.row.job_output), by_flink))
            evidence = "; ".join(dict.fromkeys(causes))
            return f"{self.state}: {evidence or 'no reason was given'}"
        if self.state in ENDED_BY_SOMEBODY:
            return f"{self.state} by somebody else while it was waited for"
        return None

    def has_reached(self, until: WaitUntil) -> bool:
        """Whether the wait is over without a failure."""
        if self.failure is not None:
            return False
        if until is WaitUntil.SUBMITTED or self.state == FINISHED:
            return True
        if until is WaitUntil.FINISHED or (self.queried_flink and self.flink is None):
            return False
        return self.view.is_running_for_real

    def in_words(self) -> str:
        """One line: state, tasks, last action's result."""
        words = [self.state]
        if self.flink is not None:
            words.append(f"{self.flink.tasks_active} of {self.flink.tasks_total} tasks active")
        elif self.queried_flink:
            words.append("not reported by Flink yet")
        if self.row.action_result:
            words.append(f"{self.row.action or 'action'} {self.row.action_result}")
        return ", ".join(words)

    def summary(self) -> dict[str, Any]:
        """The outcome as plain values."""
        return {
            "job_name": self.row.job_name,
            "job_id": self.row.job_id,
            "state": self.state,
            "duration_seconds": self.duration_seconds,
            "tasks_verified": self.tasks_verified,
        }
