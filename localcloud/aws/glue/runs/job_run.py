"""One run of a Glue job."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localcloud.aws.glue.definitions.job_definition import connection_names, default_timeout_minutes
from localcloud.aws.glue.definitions.job_kinds import glue_version
from localcloud.aws.glue.runs.capacity import (
    is_metered_by_node,
    is_python_shell,
    max_capacity,
    nodes,
)
from localcloud.aws.glue.runs.placement import Placement
from localcloud.aws.network import Address

LIVE_STATES = ("STARTING", "RUNNING", "STOPPING", "WAITING")
_TAKEN_OVER = (
    "WorkerType",
    "NumberOfWorkers",
    "MaxCapacity",
    "AllocatedCapacity",
    "Timeout",
    "SecurityConfiguration",
    "NotificationProperty",
    "ExecutionClass",
    "JobRunQueuingEnabled",
)
_CAPACITY = ("WorkerType", "NumberOfWorkers", "MaxCapacity", "AllocatedCapacity")


@dataclass
class JobRun:
    """A run with everything that happens to it.

    Args:
        id: The run's id; an automatic retry appends ``_attempt_N`` to the first run's id.
        definition: The job's definition at submission, with the run's own settings over it.
        arguments: What StartJobRun was given.
        started_on: In seconds since the epoch.
    """

    id: str
    definition: dict[str, Any]
    arguments: dict[str, str]
    started_on: float
    attempt: int = 0
    previous_run_id: str | None = None
    state: str = "STARTING"
    state_detail: str | None = None
    error_message: str | None = None
    running_since: float | None = None
    completed_on: float | None = None
    modified_on: float = 0.0
    placement: Placement | None = None
    nodes_wanted: int = 0
    addresses: list[Address] = field(default_factory=list)
    nodes_had: int = 0
    holds_slot: bool = True
    execution_role_session_policy: str | None = None

    @property
    def job_name(self) -> str:
        """The job's name."""
        return str(self.definition["Name"])

    @property
    def is_live(self) -> bool:
        """Whether the run has not ended."""
        return self.state in LIVE_STATES

    @property
    def connection_names(self) -> list[str]:
        """The job's connections at submission, in list order."""
        return connection_names(self.definition)

    @property
    def timeout_minutes(self) -> int:
        """After how many minutes of running the run is ended."""
        return int(self.definition.get("Timeout", default_timeout_minutes(self.definition)))

    @property
    def log_group_name(self) -> str:
        """With a security configuration, the role and its name are part of it.

        https://docs.aws.amazon.com/glue/latest/webapi/API_JobRun.html, LogGroupName.
        """
        configuration = self.definition.get("SecurityConfiguration")
        if not configuration:
            return "/aws-glue/jobs"
        role = str(self.definition["Role"]).rpartition("/")[2]
        return f"/aws-glue/jobs-{role}-{configuration}"

    def enter(self, state: str, now: float) -> None:
        """Change the state."""
        self.state = state
        self.modified_on = now

    def all_arguments(self) -> dict[str, str]:
        """What the script gets: the job's defaults, the run's, then what cannot be overridden."""
        return {
            **self.definition.get("DefaultArguments", {}),
            **self.arguments,
            **self.definition.get("NonOverridableArguments", {}),
        }

    def described(self, now: float) -> dict[str, Any]:
        """The run as GetJobRun shows it."""
        capacity = max_capacity(self.definition)
        shown = {
            "Id": self.id,
            "Attempt": self.attempt,
            "JobName": self.job_name,
            "JobMode": self.definition.get("JobMode", "SCRIPT"),
            "JobRunQueuingEnabled": False,
            "StartedOn": self.started_on,
            "LastModifiedOn": self.modified_on or self.started_on,
            "JobRunState": self.state,
            "Arguments": dict(self.arguments),
            "PredecessorRuns": [],
            "ExecutionTime": int(self.execution_seconds(now)),
            "Timeout": self.timeout_minutes,
            "LogGroupName": self.log_group_name,
            "GlueVersion": glue_version(self.definition),
            **{key: self.definition[key] for key in _TAKEN_OVER if key in self.definition},
            "MaxCapacity": capacity,
            "AllocatedCapacity": int(capacity),
        }
        if not is_python_shell(self.definition):
            shown.setdefault("ExecutionClass", "STANDARD")
        optional = {
            "PreviousRunId": self.previous_run_id,
            "CompletedOn": self.completed_on,
            "ErrorMessage": self.error_message,
            "StateDetail": self.state_detail,
            "MaintenanceWindow": self.definition.get("MaintenanceWindow"),
            "ExecutionRoleSessionPolicy": self.execution_role_session_policy,
            "DPUSeconds": self._dpu_seconds(now),
        }
        shown.update({key: value for key, value in optional.items() if value is not None})
        return copy.deepcopy(shown)

    def execution_seconds(self, now: float) -> float:
        """For how long the run has consumed resources."""
        if self.running_since is None:
            return 0.0
        return (self.completed_on or now) - self.running_since

    def _dpu_seconds(self, now: float) -> float | None:
        if not is_metered_by_node(self.definition, self.all_arguments()):
            return None
        share = self.nodes_had / self.nodes_wanted if self.nodes_wanted else 1.0
        return round(self.execution_seconds(now) * max_capacity(self.definition) * share, 3)


def new_job_run(
    definition: Mapping[str, Any],
    request: Mapping[str, Any],
    now: float,
    nodes_beside_workers: int,
) -> JobRun:
    """A run of a job, with StartJobRun's settings over the job's."""
    effective = dict(definition)
    if any(key in request for key in _CAPACITY):
        for key in _CAPACITY:
            if key not in request and not _belongs_together(key, request):
                effective.pop(key, None)
    effective.update({key: request[key] for key in _TAKEN_OVER if key in request})
    return JobRun(
        id=f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}",
        definition=effective,
        arguments=dict(request.get("Arguments", {})),
        started_on=now,
        nodes_wanted=nodes(effective, nodes_beside_workers),
        execution_role_session_policy=request.get("ExecutionRoleSessionPolicy"),
    )


def retry_of(run: JobRun, now: float) -> JobRun:
    """The next attempt that Glue itself makes of a failed run: on the same connection."""
    return JobRun(
        id=f"{first_run_id(run.id)}_attempt_{run.attempt + 1}",
        definition=run.definition,
        arguments=run.arguments,
        started_on=now,
        attempt=run.attempt + 1,
        previous_run_id=run.id,
        placement=run.placement,
        nodes_wanted=run.nodes_wanted,
        execution_role_session_policy=run.execution_role_session_policy,
    )


def first_run_id(job_run_id: str) -> str:
    """The id of the first attempt."""
    return job_run_id.split("_attempt_", 1)[0]


def newest_first(runs: Sequence[JobRun]) -> list[JobRun]:
    """Runs in the order of GetJobRuns."""
    return list(reversed(runs))


def _belongs_together(key: str, request: Mapping[str, Any]) -> bool:
    """A run that overrides only the worker type keeps the job's number of workers."""
    by_workers = ("WorkerType", "NumberOfWorkers")
    return key in by_workers and any(other in request for other in by_workers)
