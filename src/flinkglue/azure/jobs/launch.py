"""Launching a job through ARM so that it is there once: looked for, sent once, found, verified.

ARM chooses the Flink job id, so a launch is known by the setting that it carries, and by the job's
name. A name that is not listed is NEW. A listed one is not made twice: from a savepoint its row is
asked to START, without state to STATELESS_UPDATE, whose job has ended before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from flinkglue.azure.arm.answers import arm_call
from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.jobs.actions import JobActions
from flinkglue.azure.jobs.launch_request import launch_request
from flinkglue.azure.jobs.rows import (
    cause_of,
    departures,
    is_in_progress,
    is_launching,
    launch_has_failed,
    launch_of,
    state_of,
)
from flinkglue.azure.jobs.submission import OperationFailed
from flinkglue.azure.models import ArmFlinkJob
from flinkglue.errors import Call, CallFailed, Conflict, InDoubt
from flinkglue.lifecycle.backend import FlinkBackend, Launch, LaunchRefused
from flinkglue.lifecycle.models import TERMINAL_STATES, JobView
from flinkglue.lifecycle.state_paths import is_same_path

_NOT_BEGUN = ("INITIALIZING", "CREATED", "UNKNOWN")


class JobLauncher:
    """Launches jobs on one cluster.

    Args:
        flink: The cluster's own JobManager, where it can be reached: views show what it reports.
    """

    def __init__(
        self,
        actions: JobActions,
        view: Callable[[str], JobView | None],
        *,
        flink: FlinkBackend | None,
    ) -> None:
        self._actions = actions
        self._submission = actions.submission
        self._timeouts = actions.submission.timeouts
        self._view = view
        self._flink = flink
        self._reaches_flink = flink is not None

    def submit(self, launch: Launch) -> JobView:
        """See ``FlinkBackend.submit``."""
        lag = self._timeouts.appears_within_seconds if launch.requested_before else 0
        row = self._appearing(launch, lag)
        # A failed launch of an earlier process left nothing that runs: its failure is the answer.
        if row is None:
            rows = self._rows(launch)
            row = _launched(launch, rows)
        before = launch.live_before
        if row is None:
            self._check_nothing_lives(launch, rows)
            live = self.live_in_flink(launch.spec.job_name)
            if launch.requested_before and (mine := live - (before or frozenset())):
                raise self._may_be_its_own(launch, mine)
            before = live
            row = self._send(
                launch, launch_request(launch, rows, reaches_flink=self._reaches_flink)
            )
        row = self._settled(launch, row)
        if launch_has_failed(row):
            raise LaunchRefused(
                f"job {launch.spec.job_name} was not launched: {cause_of(row)}"
                f"{self._without_strays(launch, before)}"
            )
        return self._verified(launch, row)

    def live_in_flink(self, job_name: str) -> frozenset[str]:
        """The live jobs of this name that Flink shows; none where it is not reached."""
        jobs = self._flink.find(job_name) if self._flink else []
        return frozenset(job.job_id for job in jobs if not job.is_terminal)

    def _without_strays(self, launch: Launch, before: frozenset[str] | None) -> str:
        """What became of jobs that ``main()`` had submitted when ARM called its launch failed.

        ARM cannot stop such a job, and a launch in its place would run beside it. One that was
        there before is left alone.

        Raises:
            InDoubt: Nobody wrote down what ran before, as the version before did not.
        """
        ended = ""
        live = self.live_in_flink(launch.spec.job_name)
        if before is None and live:
            raise self._may_be_its_own(launch, live)
        for job_id in sorted(live - (before or frozenset())):
            if self._flink is not None:
                self._flink.cancel(job_id)
                ended += (
                    f". main() had submitted job {job_id}, which ARM cannot act on: it was ended"
                )
        return ended

    def _may_be_its_own(self, launch: Launch, job_ids: frozenset[str]) -> InDoubt:
        ids = ", ".join(sorted(job_ids))
        return InDoubt(
            *self._call(launch),
            f"Flink runs job {ids} under this name, which main() of this launch may have submitted",
            advice="cancel it in Flink if this launch submitted it, else let it end. Then run "
            "the same action again.",
        )

    def _check_nothing_lives(self, launch: Launch, rows: list[ArmFlinkJob]) -> None:
        for row in rows:
            if is_launching(row):
                action = f"{row.action or 'an action'} of row {row.run_id}"
                raise self._conflict(launch, f"{action} is in progress under this name")
            view = self._view(row.job_id) if row.job_id else None
            if view is not None and not view.is_terminal:
                live = f"job {row.job_id} has this name and is {view.in_words()}"
                raise self._conflict(launch, live)

    def _conflict(self, launch: Launch, reason: str) -> Conflict:
        return Conflict(
            *self._call(launch),
            reason,
            advice="another person or tool started it: wait until it has ended, or cancel one of "
            "them, then run again.",
        )

    def _send(self, launch: Launch, request: RunJob) -> ArmFlinkJob:
        launch.about_to_send()
        try:
            doubt = self._submission.sent(request)
        except OperationFailed as error:
            if row := self._appearing(launch, 0):
                return row
            raise LaunchRefused(f"ARM did not start {launch.spec.job_name}: {error}") from error
        except CallFailed as error:
            if type(error) is CallFailed:  # none of the kinds that are not the request's fault
                raise LaunchRefused(f"ARM refused {launch.spec.job_name}: {error}") from error
            raise
        return self._submission.made_by(request, partial(_launched, launch), doubt)

    def _appearing(self, launch: Launch, within_seconds: float) -> ArmFlinkJob | None:
        """The row of this very launch, as soon as the list has it."""
        pick = partial(_launched, launch)
        return self._submission.appearing(launch.spec.job_name, pick, within_seconds)

    def _rows(self, launch: Launch) -> list[ArmFlinkJob]:
        return self._submission.arm.list_jobs(self._submission.cluster, launch.spec.job_name)

    def _settled(self, launch: Launch, row: ArmFlinkJob) -> ArmFlinkJob:
        """The row when its launch has ended, for good or bad."""
        polling = self._timeouts.polling(f"the launch of job {launch.spec.job_name}")
        while True:
            now = _launched(launch, self._rows(launch))
            if now is not None:
                row = now
                if _is_settled(row, launch):
                    return row
            # A row without content proves nothing, however long it is polled.
            if row.is_ghost and polling.seconds > self._timeouts.appears_within_seconds:
                raise self._in_doubt(launch, "in the jobs list without a state")
            polling.pause()

    def _verified(self, launch: Launch, row: ArmFlinkJob) -> JobView:
        job_id = row.job_id or ""
        if wrong := departures(row, launch.spec):
            self._actions.cancel(job_id)
            raise LaunchRefused(
                f"ARM started something other than requested, and it was cancelled: "
                f"{'; '.join(wrong)}. DELETE the job and start it with NEW"
            )
        view = self._begun(job_id)
        if view is None and self._reaches_flink:
            raise LaunchRefused(
                f"ARM launched {launch.spec.job_name} as job {job_id}, and Flink has not known it "
                f"for {self._timeouts.appears_within_seconds:g} s: its JobManager was restarted "
                "and lost the job, or the Flink REST URL is that of another cluster",
                job_id,
            )
        if view is None:
            raise self._in_doubt(launch, f"job {job_id} is no longer in the jobs list")
        began_clean = self._reaches_flink and view.checkpointing and not view.is_terminal
        if launch.restore_from and began_clean:
            self._check_restored(launch, view)
        return view

    def _begun(self, job_id: str) -> JobView | None:
        """The job as soon as Flink has built it: what it was restored from is known then."""
        view = None
        for _ in self._timeouts.polls_for(self._timeouts.appears_within_seconds):
            view = self._view(job_id)
            if view is not None and (view.state not in _NOT_BEGUN or not self._reaches_flink):
                return view
        return view

    def _check_restored(self, launch: Launch, view: JobView) -> None:
        if is_same_path(view.restored_path, launch.restore_from):
            return
        # After its first restart a job shows the checkpoint that it was restored from then.
        if view.restored_path is not None and view.restarts > 0:
            return
        self._actions.cancel(view.job_id)
        raise LaunchRefused(
            f"job {view.job_id} was to start from {launch.restore_from} and started from "
            f"{view.restored_path or 'nothing'}, so it was cancelled"
        )

    def _call(self, launch: Launch) -> Call:
        return arm_call("RunJob", f"{self._submission.cluster} job {launch.spec.job_name}")

    def _in_doubt(self, launch: Launch, reason: str) -> InDoubt:
        return InDoubt(
            *self._call(launch),
            reason,
            advice="run the same action again: it searches for this launch first.",
        )


def _launched(launch: Launch, rows: Sequence[ArmFlinkJob]) -> ArmFlinkJob | None:
    """The row that this very launch made."""
    mine = [row for row in rows if launch_of(row) == launch.job_id]
    return max(mine, key=lambda row: (row.job_id is not None, not row.is_ghost), default=None)


def _is_settled(row: ArmFlinkJob, launch: Launch) -> bool:
    if is_in_progress(row):
        return False
    if launch_has_failed(row) or state_of(row) in TERMINAL_STATES:
        return True
    return row.job_id is not None and row.job_id != launch.previous_job_id
