"""Submitting a job so that there is exactly one: look first, send once, follow, find.

ARM gives no key that would make a repeated runJob harmless, so the job's name is the key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flinkglue.azure.arm.answers import SERVICE
from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.arm.timeouts import ArmTimeouts
from flinkglue.azure.models import ArmFlinkJob, FlinkClusterId, Operation, choose_row
from flinkglue.errors import CallFailed, InDoubt
from flinkglue.polling import TRANSIENT
from flinkglue.stack_trace import last_cause

Emit = Callable[[str], None]


@dataclass(frozen=True)
class Submission:
    """Submits jobs.

    Args:
        timeouts: How long each part may take.
        emit: Takes one line per decision.
    """

    timeouts: ArmTimeouts = field(default_factory=ArmTimeouts)
    emit: Emit = lambda line: None

    def submit(
        self,
        arm: ArmClient,
        cluster: FlinkClusterId,
        request: RunJob,
        *,
        sent_before: bool = False,
    ) -> ArmFlinkJob:
        """Submit a job, or adopt the one of the same name.

        Args:
            arm: The client.
            cluster: Where.
            request: What; a NEW with a name that belongs to this intent alone.
            sent_before: An earlier attempt may have sent the same request, so its job is given
                time to show up before anything is sent.

        Returns:
            The row of the job in the cluster's list.

        Raises:
            InDoubt: It was sent, and no job was found in time.
            CallFailed: ARM refused, or its operation failed.
        """
        found = self.find(arm, cluster, request.job_name)
        if found is None and sent_before:
            self.emit(
                f"an earlier attempt may have sent {request.job_name}: waiting for it to show"
            )
            found = self._appearing(arm, cluster, request.job_name)
        if found is not None:
            self.emit(f"adopted {_named(found)}, which is there already")
            return found
        try:
            operation = arm.run_job(cluster, request)
        except InDoubt as doubt:
            return self._adopted_after(doubt, arm, cluster, request)
        self.emit(f"ARM took runJob {request.action.value} for {request.job_name}")
        try:
            self._follow(arm, cluster, request, operation)
            return self._listed(arm, cluster, request)
        except TRANSIENT as fault:
            # Safe to repeat before ARM took it, not after.
            raise _in_doubt(cluster, request, str(fault)) from fault

    def find(self, arm: ArmClient, cluster: FlinkClusterId, job_name: str) -> ArmFlinkJob | None:
        """The job of that name, if the list has it."""
        return choose_row(arm.list_jobs(cluster, job_name), job_name)

    def _adopted_after(
        self, doubt: InDoubt, arm: ArmClient, cluster: FlinkClusterId, request: RunJob
    ) -> ArmFlinkJob:
        self.emit(
            f"no clear answer to runJob for {request.job_name}, searching for it: {doubt.reason}"
        )
        try:
            found = self._appearing(arm, cluster, request.job_name)
        except CallFailed as fault:
            self.emit(f"{request.job_name} could not be searched for: {fault}")
            raise doubt from fault
        if found is None:
            raise doubt
        self.emit(f"adopted {_named(found)}: the submit had arrived")
        return found

    def _follow(
        self, arm: ArmClient, cluster: FlinkClusterId, request: RunJob, operation: Operation
    ) -> None:
        ended = self.timeouts.follow(arm, operation, f"ARM's operation for job {request.job_name}")
        if ended.failed:
            raise self._operation_failed(arm, cluster, request, ended)
        if not ended.succeeded:
            self.emit(
                f"ARM has forgotten the operation of {request.job_name}; the list will show it"
            )

    def _operation_failed(
        self, arm: ArmClient, cluster: FlinkClusterId, request: RunJob, ended: Operation
    ) -> CallFailed:
        row = self.find(arm, cluster, request.job_name)
        told = [ended.message or ended.status or "", last_cause(row.job_output if row else None)]
        return CallFailed(
            SERVICE,
            f"RunJob {request.action.value}",
            f"{cluster} job {request.job_name}",
            "; ".join(text for text in told if text),
            code=ended.code,
            advice="the request was refused after it was taken: correct it and start a new run.",
        )

    def _listed(self, arm: ArmClient, cluster: FlinkClusterId, request: RunJob) -> ArmFlinkJob:
        row = self._appearing(arm, cluster, request.job_name)
        if row is None:
            lag = self.timeouts.appears_within_seconds
            unseen = f"taken, but not in the jobs list after {lag:g} s"
            raise _in_doubt(cluster, request, unseen)
        self.emit(f"found {_named(row)}")
        return row

    def _appearing(
        self, arm: ArmClient, cluster: FlinkClusterId, job_name: str
    ) -> ArmFlinkJob | None:
        for _ in self.timeouts.polls_for(self.timeouts.appears_within_seconds):
            if row := self.find(arm, cluster, job_name):
                return row
        return None


def _in_doubt(cluster: FlinkClusterId, request: RunJob, reason: str) -> InDoubt:
    return InDoubt(
        SERVICE,
        f"RunJob {request.action.value}",
        f"{cluster} job {request.job_name}",
        reason,
        advice="check the portal for the job before starting another.",
    )


def _named(job: ArmFlinkJob) -> str:
    return f"job {job.job_name} (id {job.job_id or 'none yet'})"
