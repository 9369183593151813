"""Rules of a job definition: what Glue refuses, and what GetJob shows beyond what was stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.aws.glue.capacity import is_python_shell, max_capacity
from localcloud.aws.glue.errors import invalid_input

_LEAST_WORKERS = 2
DEFAULT_GLUE_VERSION = "0.9"


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


def check_definition(definition: Mapping[str, Any]) -> None:
    """Refuse what Glue refuses in CreateJob and UpdateJob.

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


def connection_names(definition: Mapping[str, Any]) -> list[str]:
    """The job's connections, in list order."""
    return list(definition.get("Connections", {}).get("Connections", []))


def described(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition with the defaults and the computed fields that GetJob shows."""
    capacity = max_capacity(definition)
    version = definition.get("GlueVersion", DEFAULT_GLUE_VERSION)
    return {
        "JobMode": "SCRIPT",
        "JobRunQueuingEnabled": False,
        "ExecutionProperty": {"MaxConcurrentRuns": 1},
        "MaxRetries": 0,
        "Timeout": default_timeout_minutes(definition),
        **({} if is_python_shell(definition) else {"ExecutionClass": "STANDARD"}),
        **definition,
        "GlueVersion": version,
        "MaxCapacity": capacity,
        "AllocatedCapacity": int(capacity),
    }


def default_timeout_minutes(definition: Mapping[str, Any]) -> int:
    """The Timeout of a job that sets none: shorter from Glue 5.0 on."""
    major = definition.get("GlueVersion", DEFAULT_GLUE_VERSION).split(".", 1)[0]
    return 480 if major.isdigit() and int(major) >= 5 else 2880
