"""Submitting to ARM so that each request is sent once: look first, send once, follow, find.

ARM gives no key that would make a repeated runJob harmless. What a request made is found among the
rows of its job's name: by that name alone where it belongs to one run, and for the eleven actions
by the setting that each launch carries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from flinkglue.azure.arm.answers import in_doubt
from flinkglue.azure.arm.client import ArmClient, run_job_call
from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.arm.timeouts import ArmTimeouts
from flinkglue.azure.models import ArmFlinkJob, FlinkClusterId, choose_row
from flinkglue.errors import CallFailed, InDoubt
from flinkglue.stack_trace import last_cause

Pick = Callable[[Sequence[ArmFlinkJob]], ArmFlinkJob | None]
"""Of the rows that have the job's name, the one that the request made."""


class OperationFailed(CallFailed):
    """ARM took a request, and its operation ended badly: nothing was done."""


@dataclass(frozen=True)
class Submission:
    """Submits to one cluster."""

    arm: ArmClient
    cluster: FlinkClusterId
    timeouts: ArmTimeouts = field(default_factory=ArmTimeouts)
    emit: Callable[[str], None] = lambda line: None

    def submit(self, request: RunJob, *, sent_before: bool = False) -> ArmFlinkJob:
        """Submit a job under a name that belongs to this intent alone, or adopt the one there is.

        Args:
            sent_before: An earlier attempt may have sent the same request, so its job is given
                time to show up before anything is sent.

        Raises:
            InDoubt: It was sent, and no job was found in time.
            CallFailed: ARM refused, or its operation failed.
        """
        name = request.job_name

        def pick(rows: Sequence[ArmFlinkJob]) -> ArmFlinkJob | None:
            return choose_row(rows, name)

        found = self.appearing(name, pick, 0)
        if found is None and sent_before:
            self.emit(f"an earlier attempt may have sent {name}: waiting for it to appear")
            found = self.appearing(name, pick)
        if found is not None:
            self.emit(f"adopted {_named(found)}, which is there already")
            return found
        try:
            doubt = self.sent(request)
        except OperationFailed as failed:
            raise _explained(failed, self.appearing(name, pick, 0)) from failed
        try:
            return self.made_by(request, pick, doubt)
        except InDoubt:
            raise
        except CallFailed as fault:
            # Safe to repeat before ARM took it, not after.
            self.emit(f"{name} could not be searched for: {fault}")
            raise doubt or self._in_doubt(request, str(fault)) from fault

    def send(self, request: RunJob) -> None:
        """Send it once, and follow ARM's operation to its end.

        Raises:
            InDoubt: It may or may not have arrived.
            OperationFailed: ARM's operation failed.
            CallFailed: ARM refused it.
        """
        name, action = request.job_name, request.action
        operation = self.arm.run_job(self.cluster, request)
        self.emit(f"ARM accepted runJob {action} for {name}")
        try:
            waited_for = f"ARM's operation for {action} of job {name}"
            ended = self.timeouts.follow(self.arm, operation, waited_for)
        except CallFailed as fault:
            # ARM has taken it: whatever stands in the way of following it is no refusal.
            reason = f"it was accepted, and its operation could not be followed: {fault}"
            raise self._in_doubt(request, reason) from fault
        if ended.failed:
            raise OperationFailed(
                *run_job_call(self.cluster, request),
                ended.message or ended.status or "it failed",
                code=ended.code,
                advice="retry; if it fails again, check the cluster in the portal.",
            )
        if not ended.succeeded:
            self.emit(f"ARM no longer knows the operation of {name}: checking the jobs list")

    def sent(self, request: RunJob) -> InDoubt | None:
        """The same; the doubt whether it arrived is returned, because the list may remove it."""
        try:
            self.send(request)
        except InDoubt as doubt:
            self.emit(
                f"no clear answer to runJob for {request.job_name}, searching for it: "
                f"{doubt.reason}"
            )
            return doubt
        return None

    def made_by(self, request: RunJob, pick: Pick, doubt: InDoubt | None) -> ArmFlinkJob:
        """The row that a request made which was just sent.

        Raises:
            InDoubt: It is not in the list in time.
        """
        row = self.appearing(request.job_name, pick)
        if row is None:
            lag = self.timeouts.appears_within_seconds
            unseen = f"accepted, but not in the jobs list after {lag:g} s"
            raise doubt or self._in_doubt(request, unseen)
        self.emit(
            f"adopted {_named(row)}: the submit had arrived" if doubt else f"found {_named(row)}"
        )
        return row

    def appearing(
        self, job_name: str, pick: Pick, within_seconds: float | None = None
    ) -> ArmFlinkJob | None:
        """The row as soon as the list has it; None: not within this time, or the list's lag."""
        lag = self.timeouts.appears_within_seconds
        for _ in self.timeouts.polls_for(lag if within_seconds is None else within_seconds):
            if row := pick(self.arm.list_jobs(self.cluster, job_name)):
                return row
        return None

    def _in_doubt(self, request: RunJob, reason: str) -> InDoubt:
        return in_doubt(run_job_call(self.cluster, request), reason)


def _explained(failed: OperationFailed, row: ArmFlinkJob | None) -> CallFailed:
    """With what the job's row says of the failure."""
    cause = last_cause(row.job_output if row else None)
    return failed.with_changes(
        reason="; ".join(filter(None, (failed.reason, cause))),
        advice="the request was refused after it was accepted: correct it and start a new run.",
    )


def _named(job: ArmFlinkJob) -> str:
    return f"job {job.job_name} (id {job.job_id or 'none yet'})"
