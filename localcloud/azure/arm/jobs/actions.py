"""The actions of runJob: what each one needs, and what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.azure.arm.jobs.flink_jobs import FlinkJob
from localcloud.azure.arm.jobs.jobs import ClusterJob, JobBook, sent_properties
from localcloud.azure.arm.jobs.launch import JobLauncher
from localcloud.azure.arm.models import Cluster
from localcloud.azure.arm.validation import refuse_property


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
        savepoint = properties.get("savePointName")
        job = ClusterJob(
            self.cluster.resource_id, sent_properties(properties), visible_at=self.visible_at
        )
        self.jobs.add(job)
        self.launcher.begin(job, self.cluster, lambda flink: flink.new(savepoint))
        return job

    def start(self, properties: dict[str, Any]) -> ClusterJob:
        """Run from a savepoint."""
        name = properties.get("savePointName")
        return self._on_listed(properties, lambda flink: flink.start(name))

    def stop(self, properties: dict[str, Any]) -> ClusterJob:
        """Stop with a savepoint."""
        return self._on_listed(properties, lambda flink: flink.stop())

    def update(self, properties: dict[str, Any]) -> ClusterJob:
        """Stop with a savepoint, run the newest jar from it."""
        name = properties.get("savePointName")
        return self._on_listed(properties, lambda flink: flink.update(name))

    def stateless_update(self, properties: dict[str, Any]) -> ClusterJob:
        """Run the newest jar without state."""
        return self._on_listed(properties, FlinkJob.stateless_update)

    def last_state_update(self, properties: dict[str, Any]) -> ClusterJob:
        """Run the newest jar from the latest checkpoint."""
        return self._on_listed(properties, FlinkJob.last_state_update)

    def relaunch(self, properties: dict[str, Any]) -> ClusterJob:
        """Run a failed job again."""
        return self._on_listed(properties, FlinkJob.relaunch)

    def savepoint(self, properties: dict[str, Any]) -> ClusterJob:
        """Take a savepoint."""
        return self._on_listed(properties, FlinkJob.savepoint)

    def list_savepoint(self, properties: dict[str, Any]) -> ClusterJob:
        """Put the paths of the job's savepoints into its output."""
        job = self._meant(properties)
        job.begin("LIST_SAVEPOINT")
        job.listed()
        return job

    def cancel(self, properties: dict[str, Any]) -> ClusterJob:
        """Cancel the job for good."""
        return self._on_listed(properties, FlinkJob.cancel)

    def delete(self, properties: dict[str, Any]) -> ClusterJob:
        """Forget the row; a job that runs goes on."""
        job = self._meant(properties)
        self.jobs.remove(job)
        return job

    def _on_listed(
        self, properties: dict[str, Any], act: Callable[[FlinkJob], object]
    ) -> ClusterJob:
        job = self._meant(properties)
        job.begin(properties["action"])
        job.update(properties)
        self.launcher.begin(job, self.cluster, act)
        return job

    def _meant(self, properties: dict[str, Any]) -> ClusterJob:
        return self.jobs.newest(
            self.cluster.resource_id, properties["jobName"], properties.get("runId")
        )


@dataclass(frozen=True)
class Action:
    """One action.

    Args:
        execute: What it does.
        required: Properties needed besides jobType, jobName and action.
    """

    execute: Callable[[JobActions, dict[str, Any]], ClusterJob]
    required: tuple[str, ...] = ()


ACTIONS: Mapping[str, Action] = {
    "NEW": Action(JobActions.new, ("jobJarDirectory", "jarName", "entryClass")),
    "UPDATE": Action(JobActions.update),
    "STATELESS_UPDATE": Action(JobActions.stateless_update),
    "STOP": Action(JobActions.stop),
    "START": Action(JobActions.start),
    "CANCEL": Action(JobActions.cancel),
    "SAVEPOINT": Action(JobActions.savepoint),
    "LIST_SAVEPOINT": Action(JobActions.list_savepoint),
    "DELETE": Action(JobActions.delete),
    "LAST_STATE_UPDATE": Action(JobActions.last_state_update),
    "RE_LAUNCH": Action(JobActions.relaunch),
}
"""All actions of the published enum."""


def checked_action(properties: Mapping[str, Any]) -> Action:
    """The action that the properties ask for, when they are complete.

    Raises:
        ArmRefused: 400 that names the property.
    """
    if properties.get("jobType") != "FlinkJob":
        refuse_property("properties.jobType", "is required and has to be 'FlinkJob'")
    name = properties.get("action")
    if not isinstance(name, str) or name not in ACTIONS:
        refuse_property("properties.action", f"{name!r} is not one of {', '.join(ACTIONS)}")
    action = ACTIONS[name]
    for required in ("jobName", *action.required):
        if not properties.get(required):
            refuse_property(f"properties.{required}", f"is required for the action {name}")
    configuration = properties.get("flinkConfiguration") or {}
    if name == "NEW" or "parallelism" in configuration:
        _check_parallelism(configuration)
    return action


def _check_parallelism(configuration: Mapping[str, Any]) -> None:
    parallelism = configuration.get("parallelism")
    if not (isinstance(parallelism, str) and parallelism.isdigit() and int(parallelism) > 0):
        refuse_property(
            "properties.flinkConfiguration.parallelism",
            f"{parallelism!r} is not valid, it has to be a string with a whole number above 0",
        )
