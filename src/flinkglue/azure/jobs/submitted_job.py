"""A job that a run submitted under a name of its own, and its end when the run is cancelled."""

from __future__ import annotations

from dataclasses import dataclass

from flinkglue.azure.jobs.actions import JobActions
from flinkglue.azure.jobs.rows import view_of
from flinkglue.azure.jobs.submission import Submission
from flinkglue.azure.jobs.tracked_request import Observation
from flinkglue.azure.models import ArmFlinkJob, choose_row
from flinkglue.lifecycle.backend import SavepointRequest
from flinkglue.lifecycle.interrupted import OnCancel


@dataclass(frozen=True)
class SubmittedJob:
    """The job of that name. ARM's word is taken for its state: Flink may be out of reach.

    Args:
        submission: Where it was submitted, and what takes one line per decision.
        job_name: Its name, which belongs to one run alone.
    """

    submission: Submission
    job_name: str

    def emit(self, line: str) -> None:
        self.submission.emit(line)

    def find(self) -> ArmFlinkJob | None:
        """Its row, if the list has it."""
        rows = self.submission.arm.list_jobs(self.submission.cluster, self.job_name)
        return choose_row(rows, self.job_name)

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
            waited = f"{self.submission.timeouts.appears_within_seconds:g} s"
            self.emit(
                f"Job {self.job_name} did not show up in the list of {self.submission.cluster} "
                f"within {waited}: there is nothing to end."
            )
            return
        named, view = f"Flink job {self.job_name} (id {row.job_id})", view_of(row)
        if view.is_terminal:
            self.emit(f"{named} is {view.state}: there is nothing to end.")
            return
        actions = JobActions(self.submission, self._observe)
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
        """Its row, once it names a Flink job or shows an end: a job just sent may appear late."""
        row, timeouts = None, self.submission.timeouts
        lag = timeouts.appears_within_seconds
        for taken in timeouts.polls_for(lag):
            row = self.find()
            if row is not None and (row.job_id or view_of(row).is_terminal):
                return row
            if taken == 0:  # said before Prefect may end the process that waits
                self.emit(f"Job {self.job_name} is not launched yet: waiting up to {lag:g} s.")
        return row

    def _observe(self, job_id: str) -> Observation:
        row = self.find()
        return Observation(row, view_of(row) if row else None)
