"""Waiting for a job until it is submitted, really runs, or has finished."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.jobs.state import JobView, QueryFlink, WaitUntil
from flinkglue.azure.models import ArmFlinkJob, FlinkClusterId, choose_row
from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.polling import TRANSIENT, wait_until

PACE = Pace(first_seconds=0.5, most_seconds=15)
"""Quick for jobs that fail at once, and few calls for those that run for hours."""


@dataclass
class JobWatch:
    """Looks at one job through ARM and, when it can be reached, through Flink itself.

    Args:
        arm: The client.
        cluster: Where the job is.
        job: The job as it was last seen.
        query_flink: Asks Flink about a job id; None when Flink cannot be reached from here.
        emit: Takes one line per change.
        clock: The time to go by.
        pace: How often to look.

    Attributes:
        observed: What the last look of a wait saw.
    """

    arm: ArmClient
    cluster: FlinkClusterId
    job: ArmFlinkJob
    query_flink: QueryFlink | None = None
    emit: Callable[[str], None] = lambda line: None
    clock: Clock = field(default_factory=SystemClock)
    observed: JobView | None = field(default=None, init=False)
    pace: Pace = PACE

    def until(self, until: WaitUntil, deadline_seconds: float) -> JobView:
        """Wait until the job got that far, or failed: the view that is returned says which.

        Args:
            until: How far.
            deadline_seconds: The longest time to wait, over all looks.

        Raises:
            DeadlineExceeded: Neither happened in time.
            CallFailed: ARM refused to answer.
        """
        began = self.clock.monotonic()
        told: str | None = None

        def observe() -> JobView:
            nonlocal told
            view = self.observed = self.observe().after(self.clock.monotonic() - began)
            if view.in_words() != told:
                told = view.in_words()
                self.emit(f"job {self.job.job_name} (id {view.job.job_id or 'none yet'}): {told}")
            return view

        return wait_until(
            observe,
            lambda view: view.failure is not None or view.has_reached(until),
            waited_for=f"job {self.job.job_name} (id {self.job.job_id}) {until.value}",
            deadline_seconds=deadline_seconds,
            describe=JobView.in_words,
            pace=self.pace,
            clock=self.clock,
        )

    def observe(self) -> JobView:
        """One look. A row that has vanished from ARM's list leaves the last one in place."""
        name = self.job.job_name
        try:
            rows = self.arm.list_jobs(self.cluster, name)
        except TRANSIENT as fault:
            # The job goes on while ARM does not answer, and so does the wait.
            self.emit(f"still waiting for {name}: {fault}")
            rows = []
        same = [row for row in rows if self.job.job_id and row.job_id == self.job.job_id]
        row = choose_row(same or rows, name or "")
        if row is not None and not (row.is_ghost and self.job.job_id):
            self.job = row
        if self.query_flink is None:
            return JobView(self.job)
        flink = self.query_flink(self.job.job_id) if self.job.job_id else None
        return JobView(self.job, flink, queried_flink=True)
