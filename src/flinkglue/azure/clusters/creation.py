"""Creating a cluster so that there is one: looked for, checked, put, followed, ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from flinkglue.azure.arm.answers import arm_call
from flinkglue.azure.arm.clusters import ArmClusterClient, InstanceView, check_pool, check_versions
from flinkglue.azure.arm.timeouts import ArmTimeouts
from flinkglue.azure.clusters.body import differences, fixed
from flinkglue.azure.clusters.cluster import FlinkApplicationCluster
from flinkglue.azure.jobs.state import JobProgress, QueryFlink, WaitUntil
from flinkglue.azure.jobs.waiting import JobWatch
from flinkglue.azure.models import ArmFlinkJob, FlinkClusterId, Operation, mapping
from flinkglue.errors import Call, CallFailed, Conflict, InvalidInput

_SUCCEEDED, _BROKEN = "succeeded", ("failed", "canceled", "cancelled")


class Step(StrEnum):
    """What a specified cluster needs."""

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"
    AWAIT = "await"


@dataclass(frozen=True)
class Plan:
    """What is to be done, and what of it changes.

    Args:
        step: The next step.
        changes: The paths of the properties that an update changes.
    """

    step: Step
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClusterCreation:
    """One specified cluster and how far it is.

    Args:
        progress: Takes the status of what is waited for.
    """

    arm: ArmClusterClient
    cluster: FlinkClusterId
    spec: FlinkApplicationCluster
    body: Mapping[str, Any]
    timeouts: ArmTimeouts = field(default_factory=ArmTimeouts)
    emit: Callable[[str], None] = lambda line: None
    progress: Callable[[str], None] = lambda status: None

    def plan(self) -> Plan:
        """Look what is there.

        Raises:
            InvalidInput: The name, versions or pool do not fit, or what differs cannot be changed.
            Conflict: A cluster of this name failed to be made.
        """
        there = self.arm.find_resource(self.cluster)
        if there is None:
            self._check()
            return Plan(Step.CREATE)
        state = _state(there)
        if state in _BROKEN:
            advice = "find the reason in the portal, delete it, and run again."
            raise Conflict(*self._call, f"it exists as {state}", advice=advice)
        changes = differences(self.body, there)
        if unchangeable := fixed(changes):
            raise InvalidInput(
                ", ".join(unchangeable),
                self.cluster.cluster_name,
                "what this cluster was created with. The job is changed by the action UPDATE",
            )
        if state != _SUCCEEDED:
            return Plan(Step.AWAIT)
        return Plan(Step.UPDATE if changes else Step.ADOPT, tuple(changes))

    @property
    def _call(self) -> Call:
        return arm_call("Clusters Create", self.cluster)

    def _check(self) -> None:
        spec, location = self.spec, self.spec.location
        check_pool(self.arm.get_pool(self.cluster), spec.pool_version, spec.subnet_id)
        offered = self.arm.flink_versions(self.cluster, location)
        check_versions(offered, spec.flink_version, spec.cluster_version, location)
        self.arm.check_name(self.cluster, location)

    def settle(self) -> Plan:
        """Create, change or adopt it, and return when ARM has deployed it; what was done.

        Raises:
            CallFailed: ARM could not make it; with its code and message.
        """
        plan = self.plan()
        if plan.step is Step.AWAIT:
            self.emit(f"{self.cluster} is being created already: waiting for it")
            self._await_deployed()
            plan = self.plan()
        if plan.step in (Step.CREATE, Step.UPDATE):
            self.emit(f"{plan.step} {self.cluster}" + "".join(f"\n  {p}" for p in plan.changes))
            operation = self.arm.put(self.cluster, self.body)
            follow(
                self.arm, self.cluster, operation, "Clusters Create", self.timeouts, self.progress
            )
            self._await_deployed()
        else:
            self.emit(f"{self.cluster} exists as specified: adopted")
        return plan

    def await_ready(self, deadline_seconds: float) -> InstanceView:
        """Wait until the instance view is ready.

        Raises:
            DeadlineExceeded: It was not in time.
        """

        def poll() -> InstanceView:
            view = self.arm.instance_view(self.cluster)
            self.progress("Ready" if view.is_ready else f"Not ready: {_why(view)}")
            return view

        return self.timeouts.wait_until(
            poll,
            lambda view: view.is_ready,
            f"readiness of {self.cluster}",
            deadline_seconds,
            _why,
        )

    def await_job(self, deadline_seconds: float, query_flink: QueryFlink | None) -> JobProgress:
        """Wait until the cluster's job runs, or has failed: what is returned says which.

        Raises:
            DeadlineExceeded: Neither happened in time.
        """
        row = self.timeouts.wait_until(
            lambda: the_job(self.arm.list_jobs(self.cluster)),
            lambda row: row is not None,
            f"the job of {self.cluster} in its list",
            self.timeouts.appears_within_seconds,
        )
        watch = JobWatch(
            self.arm, self.cluster, row or ArmFlinkJob(), query_flink, self.emit,
            clock=self.timeouts.clock, pace=self.timeouts.pace,
        )  # fmt: skip
        return watch.until(WaitUntil.RUNNING, deadline_seconds)

    def _await_deployed(self) -> None:
        def poll() -> str:
            state = _state(self.arm.find_resource(self.cluster) or {})
            self.progress(state)
            return state

        state = self.timeouts.wait_until(
            poll,
            lambda state: state == _SUCCEEDED or state in _BROKEN,
            f"deployment of {self.cluster}",
            self.timeouts.operation_within_seconds,
        )
        if state in _BROKEN:
            raise CallFailed(*self._call, f"it ended as {state}")


def follow(
    arm: ArmClusterClient,
    cluster: FlinkClusterId,
    operation: Operation,
    name: str,
    timeouts: ArmTimeouts,
    progress: Callable[[str], None],
) -> None:
    """Follow an operation on a cluster to its good end.

    Raises:
        CallFailed: It failed, with ARM's code and message.
    """
    ended = timeouts.follow(
        arm,
        operation,
        f"{name} of {cluster}",
        lambda polled: progress(polled.status or "no status"),
    )
    if ended.failed:
        reason = ended.message or ended.status or "it failed"
        raise CallFailed(*arm_call(name, cluster), reason, code=ended.code)


def the_job(rows: list[ArmFlinkJob]) -> ArmFlinkJob | None:
    """The row of a cluster's one job: the one with most content, the newest of those."""
    named = [row for row in rows if row.job_name]
    telling = [row for row in named if row.job_id] or [row for row in named if not row.is_ghost]
    return next(reversed(telling or named), None)


def _state(resource: Mapping[str, Any]) -> str:
    return str(mapping(resource.get("properties")).get("provisioningState") or "unknown").lower()


def _why(view: InstanceView) -> str:
    return "; ".join(filter(None, (view.reason, view.message))) or "no reason given"
