"""A job and its runs as Glue describes them, and the arguments of this project's own runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from flinkglue.glue.log_arguments import log_arguments

Job: TypeAlias = Mapping[str, Any]
"""The Job structure of GetJob. https://docs.aws.amazon.com/glue/latest/webapi/API_Job.html"""

DEFAULT_LOG_GROUP = "/aws-glue/jobs"
"""Where Glue logs unless the run says otherwise (Python shell jobs and encrypted ones do)."""

RUN_KEY_ARGUMENT = "--flinkglue-run-key"
"""The job argument that marks a run with the key of the flow run that started it."""

CONNECTION_ARGUMENT = "--flinkglue-connection"
"""The job argument that says which connection was expected to carry the run."""

WAIT_FOR_END_ARGUMENT = "--flinkglue-wait-for-end"
"""The job argument of a run that its flow run leaves to itself; it is ``false``."""

OWN_ARGUMENTS = (RUN_KEY_ARGUMENT, CONNECTION_ARGUMENT, WAIT_FOR_END_ARGUMENT)
"""What this project adds to a run's arguments, and all that it reads of them."""


class JobRunState(StrEnum):
    """The states of a job run.

    https://docs.aws.amazon.com/glue/latest/webapi/API_JobRun.html
    """

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    ERROR = "ERROR"
    WAITING = "WAITING"
    EXPIRED = "EXPIRED"


ENDED_STATES = frozenset(
    {
        JobRunState.STOPPED,
        JobRunState.SUCCEEDED,
        JobRunState.FAILED,
        JobRunState.TIMEOUT,
        JobRunState.ERROR,
        JobRunState.EXPIRED,
    }
)
"""The states that never change again. A state that is not known here does not end a wait."""


def major_version(glue_version: object) -> int | None:
    """``4`` of ``4.0``; None where no version is given."""
    found = re.match(r"\d+", str(glue_version or ""))
    return int(found[0]) if found else None


def own_arguments(arguments: Mapping[str, str]) -> dict[str, str]:
    """Those of a run's arguments that this project added."""
    return {name: arguments[name] for name in OWN_ARGUMENTS if name in arguments}


@dataclass(frozen=True)
class JobRun:
    """A job run. `state` is Glue's own string, which may be newer than JobRunState.

    `arguments` are those of this project alone: Glue shows the others, secrets among them, in plain
    text. `log_arguments` are those that say where its logs lie (`log_places`).
    """

    job_name: str
    job_run_id: str
    state: str
    state_detail: str | None = None
    error_message: str | None = None
    started_on: datetime | None = None
    completed_on: datetime | None = None
    execution_seconds: int = 0
    dpu_seconds: float | None = None
    max_capacity: float | None = None
    worker_type: str | None = None
    number_of_workers: int | None = None
    log_group_name: str = DEFAULT_LOG_GROUP
    security_configuration: str | None = None
    glue_version: str | None = None
    log_arguments: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    arguments: Mapping[str, str] = field(default_factory=dict, repr=False)
    previous_run_id: str | None = None

    @classmethod
    def from_response(cls, run: Mapping[str, Any]) -> JobRun:
        """From the JobRun structure of GetJobRun and GetJobRuns."""
        return cls(
            job_name=run.get("JobName", ""),
            job_run_id=run["Id"],
            state=run.get("JobRunState", ""),
            state_detail=run.get("StateDetail"),
            error_message=run.get("ErrorMessage"),
            started_on=run.get("StartedOn"),
            completed_on=run.get("CompletedOn"),
            execution_seconds=run.get("ExecutionTime") or 0,
            dpu_seconds=run.get("DPUSeconds"),
            max_capacity=run.get("MaxCapacity"),
            worker_type=run.get("WorkerType"),
            number_of_workers=run.get("NumberOfWorkers"),
            log_group_name=run.get("LogGroupName") or DEFAULT_LOG_GROUP,
            security_configuration=run.get("SecurityConfiguration"),
            glue_version=run.get("GlueVersion"),
            log_arguments=log_arguments(run.get("Arguments") or {}),
            arguments=own_arguments(run.get("Arguments") or {}),
            previous_run_id=run.get("PreviousRunId"),
        )

    @property
    def key(self) -> str | None:
        """The run key it was started with, if this project started it."""
        return self.arguments.get(RUN_KEY_ARGUMENT)

    @property
    def is_left_to_itself(self) -> bool:
        """Whether the flow run that started it was not to wait for its end."""
        return self.arguments.get(WAIT_FOR_END_ARGUMENT) == "false"

    @property
    def ended(self) -> bool:
        return self.state in ENDED_STATES

    @property
    def succeeded(self) -> bool:
        return self.state == JobRunState.SUCCEEDED

    @property
    def duration_seconds(self) -> float | None:
        """From start to end; None while it runs."""
        if self.started_on is None or self.completed_on is None:
            return None
        return (self.completed_on - self.started_on).total_seconds()

    @property
    def capacity_seconds(self) -> float | None:
        """What is billed, in DPU-seconds; None when Glue does not give the capacity.

        Glue gives DPUSeconds for auto scaling and flexible execution; otherwise it is the
        capacity times the execution time.
        """
        if self.dpu_seconds is not None:
            return self.dpu_seconds
        if self.max_capacity is None:
            return None
        return self.max_capacity * self.execution_seconds

    def describe(self) -> str:
        """The state in words, with the reason while it waits and the message when it failed."""
        reason = self.error_message or self.state_detail
        return f"{self.state}: {reason}" if reason else self.state
