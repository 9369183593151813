"""The actions of runJob: what each one needs, and what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.azure.arm.jobs import ClusterJob, JobBook, sent_properties
from localcloud.azure.arm.launch import JobLauncher
from localcloud.azure.arm.models import Cluster
from localcloud.azure.arm.responses import ArmRefused
from localcloud.azure.arm.validation import refuse_property

ACTION_NAMES = (
    "NEW",
    "UPDATE",
    "STATELESS_UPDATE",
    "STOP",
    "START",
    "CANCEL",
    "SAVEPOINT",
    "LIST_SAVEPOINT",
    "DELETE",
    "LAST_STATE_UPDATE",
    "RE_LAUNCH",
)
"""All actions of the published enum."""


@dataclass(frozen=True)
class JobActions:
    """Carries out the actions on one cluster.

    Args:
        jobs: The rows of all clusters.
        launcher: Talks to Flink.
        cluster: The cluster.
        visible_at: When a new row begins to appear in lists.
    """

    jobs: JobBook
    launcher: JobLauncher
    cluster: Cluster
    visible_at: float

    def new(self, properties: dict[str, Any]) -> ClusterJob:
        """List a row, then submit the job. A name that is taken is no obstacle."""
        job = ClusterJob(
            self.cluster.resource_id, sent_properties(properties), visible_at=self.visible_at
        )
        self.jobs.add(job)
        self.launcher.launch(job, self.cluster)
        return job

    def cancel(self, properties: dict[str, Any]) -> ClusterJob:
        """Cancel the job for good."""
        job = self._meant(properties)
        job.begin("CANCEL")
        self.launcher.cancel(job, self.cluster)
        return job

    def delete(self, properties: dict[str, Any]) -> ClusterJob:
        """Forget the row; a job that runs goes on."""
        job = self._meant(properties)
        self.jobs.remove(job)
        return job

    def _meant(self, properties: dict[str, Any]) -> ClusterJob:
        return self.jobs.newest(
            self.cluster.resource_id, properties["jobName"], properties.get("runId")
        )


@dataclass(frozen=True)
class Action:
    """One action.

    Args:
        required: Properties needed besides jobType, jobName and action.
        carry_out: What it does.
    """

    required: tuple[str, ...]
    carry_out: Callable[[JobActions, dict[str, Any]], ClusterJob]


ACTIONS: Mapping[str, Action] = {
    "NEW": Action(("jobJarDirectory", "jarName", "entryClass"), JobActions.new),
    "CANCEL": Action((), JobActions.cancel),
    "DELETE": Action((), JobActions.delete),
}
"""The actions that are served."""


def checked_action(properties: Mapping[str, Any]) -> Action:
    """The action that the properties ask for, when they are complete.

    Raises:
        ArmRefused: 400 that names the property.
    """
    if properties.get("jobType") != "FlinkJob":
        refuse_property("properties.jobType", "is required and has to be 'FlinkJob'")
    name = properties.get("action")
    if not isinstance(name, str) or name not in ACTION_NAMES:
        refuse_property("properties.action", f"{name!r} is not one of {', '.join(ACTION_NAMES)}")
    if name not in ACTIONS:
        raise ArmRefused(
            400,
            "ActionNotSupported",
            f"The action {name} is not served by this local cloud; {', '.join(ACTIONS)} are.",
            target="properties.action",
        )
    action = ACTIONS[name]
    for required in ("jobName", *action.required):
        if not properties.get(required):
            refuse_property(f"properties.{required}", f"is required for the action {name}")
    if name == "NEW":
        _check_parallelism(properties.get("flinkConfiguration") or {})
    return action


def _check_parallelism(configuration: Mapping[str, Any]) -> None:
    parallelism = configuration.get("parallelism")
    if not (isinstance(parallelism, str) and parallelism.isdigit() and int(parallelism) > 0):
        refuse_property(
            "properties.flinkConfiguration.parallelism",
            f"{parallelism!r} is not valid, it has to be a string with a whole number above 0",
        )
