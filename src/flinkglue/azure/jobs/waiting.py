"""Waiting for a job until it is submitted, really runs, or has finished."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.jobs.state import JobProgress, QueryFlink, WaitUntil
from flinkglue.azure.models import ArmFlinkJob, FlinkClusterId, choose_row
from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.polling import TRANSIENT, wait_until

PACE = Pace(first_seconds=0.5, most_seconds=15)
"""Quick for jobs that fail at once, and few calls for those that run for hours."""


@dataclass
class JobWatch:
    """Polls one job through ARM and, when it can be reached, through Flink itself.

    Args:
        query_flink: Looks a job id up in Flink; None when Flink cannot be reached from here.

    Attributes:
        observed: What the last poll of a wait observed.
    """

    arm: ArmClient
    cluster: FlinkClusterId
    row: ArmFlinkJob
    query_flink: QueryFlink | None = None
    emit: Callable[[str], None] = lambda line: None
    clock: Clock = field(default_factory=SystemClock)
    observed: JobProgress | None = field(default=None, init=False)
    pace: Pace = PACE

    def until(self, until: WaitUntil, deadline_seconds: float) -> JobProgress:
        """Wait until the job got that far, or failed: what is returned says which.

        Args:
            deadline_seconds: The longest time to wait, over all polls.

        Raises:
            DeadlineExceeded: Neither happened in time.
            CallFailed: ARM refused to answer.
        """
        began = self.clock.monotonic()
        reported: str | None = None

        def observe() -> JobProgress:
            nonlocal reported
            progress = replace(self.observe(), seconds=self.clock.monotonic() - began)
            self.observed, row = progress, progress.row
            if progress.in_words() != reported:
                reported = progress.in_words()
                self.emit(f"job {row.job_name} (id {row.job_id or 'none yet'}): {reported}")
            return progress

        return wait_until(
            observe,
            lambda progress: progress.failure is not None or progress.has_reached(until),
            waited_for=f"job {self.row.job_name} (id {self.row.job_id}) {until.value}",
            deadline_seconds=deadline_seconds,
            describe=JobProgress.in_words,
            pace=self.pace,
            clock=self.clock,
        )

    def observe(self) -> JobProgress:
        """One poll. A row that has vanished from ARM's list leaves the last one in place."""
        name, job_id = self.row.job_name, self.row.job_id
        try:
            rows = self.arm.list_jobs(self.cluster, name)
        except TRANSIENT as fault:
            # The job goes on while ARM does not answer, and so does the wait.
            self.emit(f"still waiting for {name}: {fault}")
            rows = []
        same = [row for row in rows if job_id and row.job_id == job_id]
        row = choose_row(same or rows, name or "")
        if row is not None and not (row.is_ghost and job_id):
            self.row = row
        if self.query_flink is None:
            return JobProgress(self.row)
        flink = self.query_flink(self.row.job_id) if self.row.job_id else None
        return JobProgress(self.row, flink, queried_flink=True)
