"""ARM's own actions on a listed job: looked for first, requested once, followed to their end."""

from __future__ import annotations

from collections.abc import Callable

from flinkglue.azure.arm.answers import arm_call
from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.jobs.rows import cause_of, is_in_progress, listed_savepoints
from flinkglue.azure.jobs.submission import OperationFailed, Submission
from flinkglue.azure.jobs.tracked_request import Observation, TrackedRequest
from flinkglue.azure.models import ArmFlinkJob
from flinkglue.errors import CallFailed
from flinkglue.lifecycle.backend import (
    CannotList,
    OnSavepoint,
    SavepointFailed,
    SavepointRequest,
    nobody_listens,
)
from flinkglue.lifecycle.models import Action, JobView
from flinkglue.lifecycle.savepoint_formats import NATIVE

Observe = Callable[[str], Observation]
NewestStored = Callable[[str], str | None]
"""The newest savepoint of a Flink job in storage; None: none is known."""


class JobActions:
    """STOP, SAVEPOINT, CANCEL, LIST_SAVEPOINT and DELETE of one cluster's jobs.

    Args:
        observe: Looks at a job by its Flink job id.
        newest_stored: Looks into storage, for a job that Flink has lost.
    """

    def __init__(
        self,
        submission: Submission,
        observe: Observe,
        newest_stored: NewestStored = lambda job_id: None,
    ) -> None:
        self.submission = submission
        self._timeouts = submission.timeouts
        self._observe = observe
        self._newest_stored = newest_stored

    def stop(self, request: SavepointRequest, noted: OnSavepoint = nobody_listens) -> str:
        """Stop with a savepoint; see ``FlinkBackend.stop_with_savepoint``."""
        _check(request)
        tracked = self._tracked(Action.STOP, request)
        polling = self._timeouts.polling(f"the stop of job {request.job_id}")
        while True:
            observed = self._observe(request.job_id)
            tracked.notice(observed)
            path, view = tracked.new_savepoint(observed), observed.view
            if path:
                noted(path)
            if view is None:
                # Stopped, and then forgotten by a JobManager that was restarted?
                if path := path or self._new_stored(request, tracked):
                    return path
                raise SavepointFailed(f"job {request.job_id} no longer exists")
            if view.is_terminal:
                # ARM's row may be behind Flink.
                if (observed.is_busy or not path) and tracked.may_show(polling.seconds):
                    polling.pause()
                    continue
                return _stopped(request, view, path)
            if tracked.failed(observed, polling.seconds):
                raise _refused(request, observed, path)
            self._send_once(tracked, observed, polling.seconds, request)
            polling.pause()

    def savepoint(self, request: SavepointRequest) -> str:
        """Take a savepoint; see ``FlinkBackend.savepoint``."""
        _check(request)
        tracked = self._tracked(Action.SAVEPOINT, request)
        polling = self._timeouts.polling(f"a savepoint of job {request.job_id}")
        while True:
            observed = self._observe(request.job_id)
            tracked.notice(observed)
            if path := tracked.new_savepoint(observed):
                return path
            if observed.view is None or (
                observed.view.is_terminal and not tracked.may_show(polling.seconds)
            ):
                raise self._ended_before(request, tracked, observed.view)
            if tracked.failed(observed, polling.seconds):
                raise _refused(request, observed, None)
            if not observed.view.is_terminal:
                self._send_once(tracked, observed, polling.seconds, request)
            polling.pause()

    def _tracked(self, action: Action, request: SavepointRequest | None = None) -> TrackedRequest:
        lag_seconds = self._timeouts.appears_within_seconds
        return TrackedRequest(action, self.submission.send, lag_seconds, request)

    def _ended_before(
        self, request: SavepointRequest, tracked: TrackedRequest, view: JobView | None
    ) -> SavepointFailed:
        if view is None and (path := self._new_stored(request, tracked)):
            return SavepointFailed(f"job {request.job_id} is gone after its savepoint", path)
        state = view.in_words() if view else "gone"
        return SavepointFailed(f"job {request.job_id} is {state}: no savepoint was taken")

    def _new_stored(self, request: SavepointRequest, tracked: TrackedRequest) -> str | None:
        newest = self._newest_stored(request.job_id) if tracked.was_sent else None
        return newest if tracked.is_new(newest) else None

    def cancel(self, job_id: str) -> JobView | None:
        """Cancel; see ``FlinkBackend.cancel``."""
        tracked = self._tracked(Action.CANCEL)
        polling = self._timeouts.polling(f"the cancellation of job {job_id}")
        while True:
            observed = self._observe(job_id)
            tracked.notice(observed)
            if observed.view is None or observed.view.is_terminal:
                return observed.view
            if observed.row is not None and tracked.failed(observed, polling.seconds):
                call, cause = arm_call("RunJob CANCEL", f"job {job_id}"), cause_of(observed.row)
                raise CallFailed(*call, cause, advice="check the job in the portal, then retry.")
            tracked.send(observed, polling.seconds)
            polling.pause()

    def list_savepoints(self, row: ArmFlinkJob) -> list[str]:
        """The savepoints that ARM knows of a row's job, as old as the list may be.

        Raises:
            CannotList: ARM was not called, because an action on the row is in progress whose output
                the answer would replace; or it did not answer.
        """
        if is_in_progress(row):
            busy = f"{row.action or 'an action'} of row {row.run_id} is in progress"
            raise CannotList(f"ARM was not queried for the savepoints of {row.job_name}: {busy}")
        tracked = self._tracked(Action.LIST_SAVEPOINT)
        tracked.send(Observation(row, None), 0)
        arm, cluster = self.submission.arm, self.submission.cluster
        for taken in self._timeouts.polls_for(self._timeouts.appears_within_seconds):
            rows = arm.list_jobs(cluster, row.job_name)
            observed = Observation(
                next((other for other in rows if other.run_id == row.run_id), None), None
            )
            tracked.notice(observed)
            if tracked.failed(observed, taken) and observed.row:
                cause = cause_of(observed.row)
                raise CannotList(f"ARM's LIST_SAVEPOINT of {row.job_name} failed: {cause}")
            if tracked.has_answered(observed) and observed.row:
                return listed_savepoints(observed.row)
        raise CannotList(f"ARM's LIST_SAVEPOINT of {row.job_name} has not been answered in time")

    def delete(self, row: ArmFlinkJob) -> None:
        """Let ARM forget a row; its Flink job must have ended."""
        self.submission.send(RunJob(Action.DELETE, row.job_name or "", run_id=row.run_id))

    def _send_once(
        self,
        tracked: TrackedRequest,
        observed: Observation,
        taken: float,
        request: SavepointRequest,
    ) -> None:
        try:
            tracked.send(observed, taken)
        except OperationFailed as error:
            raise SavepointFailed(
                f"ARM did not take a savepoint of job {request.job_id}: {error.reason}"
            ) from error


def _check(request: SavepointRequest) -> None:
    if request.drain:
        raise SavepointFailed("ARM's STOP cannot drain a job: leave drain out")
    if request.format == NATIVE:
        raise SavepointFailed(
            "ARM's actions take no savepoint format: choose canonical, or automatic for a state "
            "backend that writes it"
        )
    if request.directory is not None:
        raise SavepointFailed(
            f"ARM writes savepoints where the job's savepoint.directory says, not to "
            f"{request.directory}: set it in flink_configuration when the job is launched"
        )


def _stopped(request: SavepointRequest, view: JobView, path: str | None) -> str:
    if path is None:
        raise SavepointFailed(
            f"job {request.job_id} ended as {view.in_words()} before a savepoint was taken"
        )
    if view.state != "FINISHED":
        raise SavepointFailed(f"job {request.job_id} ended as {view.in_words()}", path)
    return path


def _refused(request: SavepointRequest, observed: Observation, path: str | None) -> SavepointFailed:
    cause = cause_of(observed.row) if observed.row else "its row is gone"
    return SavepointFailed(f"ARM's action on job {request.job_id} failed: {cause}", path)
