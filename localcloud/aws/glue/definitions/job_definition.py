"""Rules of a job definition: what Glue refuses, and what GetJob shows beyond what was stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.aws.glue.definitions.job_kinds import (
    check_kind,
    check_max_capacity,
    check_queuing,
    check_ray,
    glue_version,
    major_version,
)
from localcloud.aws.glue.errors import invalid_input
from localcloud.aws.glue.runs.capacity import is_python_shell, max_capacity

_LEAST_WORKERS = 2


def check_capacity(definition: Mapping[str, Any]) -> None:
    """Refuse two ways of naming the capacity at once.

    Raises:
        GlueError: ``InvalidInputException``.
    """
    by_workers = "WorkerType" in definition or "NumberOfWorkers" in definition
    if by_workers and "MaxCapacity" in definition:
        raise invalid_input(
            "Please do not set Max Capacity if using Worker Type and Number of Workers."
        )
    if by_workers and "AllocatedCapacity" in definition:
        raise invalid_input(
            "Please do not set Allocated Capacity if using Worker Type and Number of Workers."
        )
    if "MaxCapacity" in definition and "AllocatedCapacity" in definition:
        raise invalid_input("Please set only Allocated Capacity or Max Capacity")
    if ("WorkerType" in definition) != ("NumberOfWorkers" in definition):
        raise invalid_input("Please set both Worker Type and Number of Workers.")
    if by_workers and definition["NumberOfWorkers"] < _LEAST_WORKERS:
        raise invalid_input(
            f"To use Worker Type {definition['WorkerType']}, minimum allowed value of "
            f"Number of Workers is {_LEAST_WORKERS}."
        )


def check_run(definition: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Refuse what Glue refuses in StartJobRun.

    Args:
        definition: The job's definition with the run's own settings over it.
        request: The run's own settings.

    Raises:
        GlueError: ``InvalidInputException``.
    """
    check_capacity(definition)
    check_kind(definition)
    check_queuing(definition)
    if "MaxCapacity" in request:
        check_max_capacity(definition)


def check_definition(
    definition: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> None:
    """Refuse what Glue refuses in CreateJob and UpdateJob.

    Args:
        definition: What is to be stored.
        before: What is stored. The MaxCapacity that GetJob shows of it may be sent back, whatever
            kind of job it is.

    Raises:
        GlueError: ``InvalidInputException``.
    """
    if not definition.get("Role"):
        raise invalid_input("Role should not be null or empty.")
    if not definition.get("Command", {}).get("Name"):
        raise invalid_input("Command name should not be null or empty.")
    if "Connections" in definition and not connection_names(definition):
        raise invalid_input("Connection list should not be empty.")
    check_capacity(definition)
    check_kind(definition)
    check_ray(definition)
    if "MaxCapacity" in definition and (
        before is None or definition["MaxCapacity"] != max_capacity(before)
    ):
        check_max_capacity(definition)


def connection_names(definition: Mapping[str, Any]) -> list[str]:
    """The job's connections, in list order."""
    return list(definition.get("Connections", {}).get("Connections", []))


def described(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition with the defaults and the computed fields that GetJob shows."""
    capacity = max_capacity(definition)
    return {
        "JobMode": "SCRIPT",
        "JobRunQueuingEnabled": False,
        "ExecutionProperty": {"MaxConcurrentRuns": 1},
        "MaxRetries": 0,
        "Timeout": default_timeout_minutes(definition),
        **({} if is_python_shell(definition) else {"ExecutionClass": "STANDARD"}),
        **definition,
        "GlueVersion": glue_version(definition),
        "MaxCapacity": capacity,
        "AllocatedCapacity": int(capacity),
    }


def default_timeout_minutes(definition: Mapping[str, Any]) -> int:
    """The Timeout of a job that sets none: shorter from Glue 5.0 on."""
    return 480 if major_version(definition) >= 5 else 2880
