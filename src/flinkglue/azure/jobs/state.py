"""What a Flink job's state means for somebody who waits. Unknown states never end a wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from flinkglue.azure.models import (
    ENDED_BY_SOMEBODY,
    FAILED_STATES,
    FINISHED,
    ArmFlinkJob,
    plain_status,
)
from flinkglue.stack_trace import last_cause


class WaitUntil(StrEnum):
    """How far a wait goes."""

    SUBMITTED = "submitted"
    RUNNING = "running"
    FINISHED = "finished"


@dataclass(frozen=True)
class FlinkView:
    """A job as Flink itself sees it.

    Args:
        state: Flink's state.
        tasks_total: Number of tasks, None when Flink does not say.
        tasks_active: Number of tasks that run or have finished.
        duration_seconds: How long the job has been running or did run.
        failure: The last ``Caused by`` of a failed job.
    """

    state: str
    tasks_total: int | None = None
    tasks_active: int = 0
    duration_seconds: float | None = None
    failure: str | None = None

    @property
    def tasks_really_run(self) -> bool:
        """RUNNING alone is not enough: Flink says it while tasks still wait for slots."""
        return self.state == "RUNNING" and 0 < (self.tasks_total or 0) <= self.tasks_active


QueryFlink = Callable[[str], FlinkView | None]
"""Looks a job up in Flink by its id; None when Flink does not know it or cannot be reached."""


@dataclass(frozen=True)
class JobView:
    """A job as ARM and Flink tell of it together.

    Args:
        job: ARM's row.
        flink: Flink's own word, if it could be had.
        seconds: How long this wait has taken so far.
        queried_flink: Whether Flink was asked, so that ARM's word alone is not enough for RUNNING.
    """

    job: ArmFlinkJob
    flink: FlinkView | None = None
    seconds: float = 0.0
    queried_flink: bool = False

    @property
    def state(self) -> str:
        """The state to show: Flink's own if known, except for what only ARM can know."""
        arm = plain_status(self.job.status)
        if arm in FAILED_STATES | ENDED_BY_SOMEBODY or self.flink is None:
            return arm or "UNKNOWN"
        return self.flink.state

    @property
    def tasks_verified(self) -> bool:
        """Whether Flink itself said that tasks run, or that the job ended."""
        return self.flink is not None and (
            self.flink.tasks_really_run or self.flink.state == FINISHED
        )

    @property
    def has_ended(self) -> bool:
        """Whether the job will do no more."""
        return self.state == FINISHED or self.state in FAILED_STATES | ENDED_BY_SOMEBODY

    @property
    def duration_seconds(self) -> float:
        """How long the job ran by Flink's word, or else how long was waited."""
        if self.flink is not None and self.flink.duration_seconds is not None:
            return self.flink.duration_seconds
        return self.seconds

    @property
    def failure(self) -> str | None:
        """Why the job counts as failed; None when it does not."""
        if self.state in FAILED_STATES:
            return f"{self.state}: {self._evidence() or 'no reason was given'}"
        if self.state in ENDED_BY_SOMEBODY:
            return f"{self.state} by somebody else while it was waited for"
        return None

    def has_reached(self, until: WaitUntil) -> bool:
        """Whether the wait is over without a failure."""
        if self.failure is not None:
            return False
        if until is WaitUntil.SUBMITTED or self.state == FINISHED:
            return True
        if until is WaitUntil.FINISHED:
            return False
        if self.queried_flink:
            return self.flink is not None and self.flink.tasks_really_run
        return self.state == "RUNNING"

    def in_words(self) -> str:
        """One line: state, tasks, last action's result."""
        words = [self.state]
        if self.flink is not None and self.flink.tasks_total is not None:
            words.append(f"{self.flink.tasks_active} of {self.flink.tasks_total} tasks active")
        elif self.queried_flink:
            words.append("not reported by Flink yet")
        if self.job.action_result:
            words.append(f"{self.job.action or 'action'} {self.job.action_result}")
        return ", ".join(words)

    def summary(self) -> dict[str, Any]:
        """The outcome as plain values."""
        return {
            "job_name": self.job.job_name,
            "job_id": self.job.job_id,
            "state": self.state,
            "duration_seconds": self.duration_seconds,
            "tasks_verified": self.tasks_verified,
        }

    def after(self, seconds: float) -> JobView:
        """The same view, seen so many seconds into the wait."""
        return replace(self, seconds=seconds)

    def _evidence(self) -> str:
        told = [last_cause(self.job.job_output), self.flink.failure if self.flink else None]
        return "; ".join(dict.fromkeys(text for text in told if text))
