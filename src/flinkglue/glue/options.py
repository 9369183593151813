"""What a person may set for one run in place of the job's own settings. Pure."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from flinkglue.errors import InvalidInput
from flinkglue.form_schema import FormGroup
from flinkglue.form_types import Matched
from flinkglue.glue.inputs import JobName
from flinkglue.glue.models import Job
from flinkglue.glue.run_limits import FLEX_WORKERS, WORKERS, check_run

# Glue documents more types than its service model lists, and adds to them.
MOST_WORKERS = 1_000_000  # Glue's quota of an account is the limit
WorkerType = Annotated[
    str, Matched(r"^(Standard|[GRZ]\.[0-9]+X)$", "a worker type of Glue, for example G.1X")
]


_SWITCHES = {True: "on", False: "off"}
OnOrOff = Annotated[
    Literal["on", "off"],
    BeforeValidator(
        lambda value: _SWITCHES.get(value, value) if isinstance(value, bool) else value
    ),
]
"""A switch that may be left as it is, which a form can only show as a choice."""


class RunOptions(FormGroup):
    """Settings of this run that override the job's. Empty: the job's.

    https://docs.aws.amazon.com/glue/latest/webapi/API_StartJobRun.html
    """

    worker_type: WorkerType | None = Field(
        default=None,
        description="For example G.1X, G.16X or R.2X. Requires number_of_workers.",
    )
    number_of_workers: Annotated[int, Field(ge=2, le=MOST_WORKERS)] | None = Field(
        default=None, description="Requires worker_type."
    )
    max_capacity: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = Field(
        default=None,
        description="In data processing units, for jobs without workers, such as Python shell.",
    )
    timeout_minutes: Annotated[int, Field(ge=1, le=10080)] | None = Field(
        default=None, description="Glue stops the run after this many minutes."
    )
    execution_class: Literal["STANDARD", "FLEX"] | None = Field(
        default=None,
        description="FLEX is cheaper and may start late: Spark jobs on G.1X or G.2X workers only.",
    )
    security_configuration: JobName | None = Field(
        default=None, description="The name of a Glue security configuration."
    )
    job_run_queuing_enabled: OnOrOff | None = Field(
        default=None,
        description="Glue's job run queuing: queued runs wait in their full subnet instead of "
        "failing over.",
    )
    notify_delay_minutes: Annotated[int, Field(ge=1, le=10080)] | None = Field(
        default=None,
        description="Glue sends an event when the run takes longer.",
    )
    execution_role_session_policy: Annotated[str, Field(min_length=2, max_length=2048)] | None = (
        Field(
            default=None,
            description="IAM policy as JSON that narrows what the run may do.",
        )
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if (self.worker_type is None) != (self.number_of_workers is None):
            raise ValueError("worker_type, number_of_workers: give both or neither")
        if self.max_capacity is not None and self.worker_type is not None:
            raise ValueError("max_capacity: only without worker_type and number_of_workers")
        is_flex = self.execution_class == "FLEX"
        if is_flex and self.worker_type in WORKERS and self.worker_type not in FLEX_WORKERS:
            raise ValueError(f"worker_type: with FLEX one of {', '.join(FLEX_WORKERS)}")
        return self

    @field_validator("execution_role_session_policy")
    @classmethod
    def _is_a_policy(cls, policy: str | None) -> str | None:
        if policy is not None and not isinstance(_parsed(policy), dict):
            raise ValueError('give an IAM policy as JSON, for example {"Version": "2012-10-17", …}')
        return policy

    def parameters(self) -> dict[str, Any]:
        """What is set, as StartJobRun takes it."""
        delay, queuing = self.notify_delay_minutes, self.job_run_queuing_enabled
        given = {
            "WorkerType": self.worker_type,
            "NumberOfWorkers": self.number_of_workers,
            "MaxCapacity": self.max_capacity,
            "Timeout": self.timeout_minutes,
            "ExecutionClass": self.execution_class,
            "SecurityConfiguration": self.security_configuration,
            "JobRunQueuingEnabled": None if queuing is None else queuing == "on",
            "NotificationProperty": None if delay is None else {"NotifyDelayAfter": delay},
            "ExecutionRoleSessionPolicy": self.execution_role_session_policy,
        }
        return {name: value for name, value in given.items() if value is not None}

    def over(self, job: Job) -> dict[str, Any]:
        """The job as this run has it: the Job structure of GetJob with what is set in its place.

        Raises:
            InvalidInput: The job does not take what is set.
        """
        if self.max_capacity is not None and job.get("NumberOfWorkers"):
            allowed = "nothing for a job with workers; set worker_type and number_of_workers"
            raise InvalidInput("run_options.max_capacity", self.max_capacity, allowed)
        given = self.parameters()
        run = {**job, **given}
        check_run(run, given)
        return run


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # lists in lists, as deep as its length allows
        return None
