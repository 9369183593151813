"""A job that a run submitted under a name of its own, and its end when the run is cancelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.arm.timeouts import ArmTimeouts
from flinkglue.azure.jobs.actions import JobActions
from flinkglue.azure.jobs.rows import view_of
from flinkglue.azure.jobs.tracked_request import Observation
from flinkglue.azure.models import ArmFlinkJob, FlinkClusterId, choose_row
from flinkglue.lifecycle.backend import SavepointRequest
from flinkglue.lifecycle.interrupted import OnCancel


@dataclass(frozen=True)
class SubmittedJob:
    """The job of that name. ARM's word is taken for its state: Flink may be out of reach.

    Args:
        arm: The client.
        cluster: Where it was submitted.
        job_name: Its name, which belongs to one run alone.
        emit: Takes one line per decision.
        timeouts: How long ARM may take.
    """

    arm: ArmClient
    cluster: FlinkClusterId
    job_name: str
    emit: Callable[[str], None]
    timeouts: ArmTimeouts = field(default_factory=ArmTimeouts)

    def find(self) -> ArmFlinkJob | None:
        """Its row, if the list has it."""
        return choose_row(self.arm.list_jobs(self.cluster, self.job_name), self.job_name)

    def end(self, how: OnCancel) -> None:
        """Cancel it, or stop it with a savepoint, and wait until it has ended.

        Safe to interrupt and repeat: a job that has ended is left as it is.

        Raises:
            SavepointFailed: It was not stopped, or not with a good savepoint; says why.
            CallFailed: ARM refused.
            DeadlineExceeded: It did not end in time.
        """
        row = self._shown()
        if row is None:
            waited = f"{self.timeouts.appears_within_seconds:g} s"
            self.emit(
                f"Job {self.job_name} did not show up in the list of {self.cluster} within "
                f"{waited}: there is nothing to end."
            )
            return
        named, view = f"Flink job {self.job_name} (id {row.job_id})", view_of(row)
        if view.is_terminal:
            self.emit(f"{named} is {view.state}: there is nothing to end.")
            return
        actions = JobActions(self.arm, self.cluster, self._observe, self.timeouts)
        if how is OnCancel.STOP_WITH_SAVEPOINT:
            self.emit(f"{named} is {view.state}: stopping it with a savepoint.")
            # ARM takes no trigger id: a new savepoint is known by its path.
            request = SavepointRequest(row.job_id or "", "", view.savepoint_path, mark=view.mark)
            self.emit(f"{named} has stopped with the savepoint {actions.stop(request)}.")
            return
        self.emit(f"{named} is {view.state}: cancelling it.")
        ended = actions.cancel(row.job_id or self.job_name)
        self.emit(f"{named} is {ended.state if ended else 'gone from the list'}.")

    def _shown(self) -> ArmFlinkJob | None:
        """Its row once that tells of a Flink job or an end; what was just sent may lag."""
        row, lag = None, self.timeouts.appears_within_seconds
        for taken in self.timeouts.polls_for(lag):
            row = self.find()
            if row is not None and (row.job_id or view_of(row).is_terminal):
                return row
            if taken == 0:  # said before Prefect may end the process that waits
                self.emit(f"Job {self.job_name} is not launched yet: waiting up to {lag:g} s.")
        return row

    def _observe(self, job_id: str) -> Observation:
        row = self.find()
        return Observation(row, view_of(row) if row else None)
