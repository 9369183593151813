"""What each kind of job may have, by its command and Glue version.

https://docs.aws.amazon.com/glue/latest/webapi/API_StartJobRun.html tells the rules, and
https://docs.aws.amazon.com/glue/latest/dg/worker-types.html the types of worker that it leaves out,
which Spark jobs of every version take here. Where the words of a refusal are publicly known they
are used: those about workers of a Python shell job, about a worker type and a Glue version, about
a Glue version, and those about Ray jobs (aws/aws-cdk#32119, hashicorp/terraform-provider-aws#35013,
cloud-custodian/cloud-custodian#9051).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from localcloud.aws.glue.errors import GlueError, invalid_input

SPARK = ("glueetl", "gluestreaming")
COMMANDS = (*SPARK, "pythonshell", "glueray")
GLUE_VERSIONS = ("0.9", "1.0", "2.0", "3.0", "4.0", "5.0", "5.1")
DEFAULT_GLUE_VERSION = "5.1"
MOST_TIMEOUT_MINUTES = 10_080
PYTHON_SHELL_DPU = (0.0625, 1.0)
LEAST_SPARK_DPU, MOST_SPARK_DPU = 2, 100
FLEX_WORKER_TYPES = ("G.1X", "G.2X")


class Workers(NamedTuple):
    """Which jobs a type of worker is for: their commands, and the first and last major version."""

    commands: tuple[str, ...]
    first_major: int = 0
    last_major: int = 99


WORKERS = {
    "Standard": Workers(SPARK, last_major=2),
    "G.025X": Workers(("gluestreaming",), first_major=3),
    "G.1X": Workers(SPARK),
    "G.2X": Workers(SPARK),
    "G.4X": Workers(SPARK, first_major=3),
    "G.8X": Workers(SPARK, first_major=3),
    "G.12X": Workers(SPARK),
    "G.16X": Workers(SPARK),
    "R.1X": Workers(SPARK),
    "R.2X": Workers(SPARK),
    "R.4X": Workers(SPARK),
    "R.8X": Workers(SPARK),
    "Z.2X": Workers(("glueray",)),
}


def glue_version(definition: Mapping[str, Any]) -> str:
    """The job's Glue version, or the one that Glue takes when a job names none."""
    return str(definition.get("GlueVersion", DEFAULT_GLUE_VERSION))


def major_version(definition: Mapping[str, Any]) -> int:
    """The first number of the Glue version, which is one of those above."""
    return int(glue_version(definition).split(".", 1)[0])


def check_kind(definition: Mapping[str, Any]) -> None:
    """Refuse what this kind of job does not take, but for MaxCapacity.

    Raises:
        GlueError: ``InvalidInputException``.
    """
    command = _command(definition)
    if command not in COMMANDS:
        raise invalid_input(f"Command name should be one of: {', '.join(COMMANDS)}.")
    if glue_version(definition) not in GLUE_VERSIONS:
        raise invalid_input(f"Given GlueVersion [{glue_version(definition)}] is not valid")
    _check_timeout(command, definition.get("Timeout"))
    if "WorkerType" in definition:
        _check_workers(command, definition)
    if definition.get("ExecutionClass") == "FLEX":
        _check_flex(command, definition)


def check_max_capacity(definition: Mapping[str, Any]) -> None:
    """Refuse a MaxCapacity that this kind of job does not take.

    Raises:
        GlueError: ``InvalidInputException``.
    """
    command, capacity = _command(definition), definition["MaxCapacity"]
    if command == "pythonshell":
        if capacity not in PYTHON_SHELL_DPU:
            raise invalid_input("Max Capacity of a pythonshell job should be 0.0625 or 1.")
        return
    if command == "glueray" or major_version(definition) >= 2:
        raise invalid_input(
            "Max Capacity is not supported for this job. Please set Worker Type and Number of "
            "Workers."
        )
    if capacity != int(capacity) or not LEAST_SPARK_DPU <= capacity <= MOST_SPARK_DPU:
        raise invalid_input(
            f"Max Capacity should be a whole number from {LEAST_SPARK_DPU} to {MOST_SPARK_DPU}."
        )


def check_ray(definition: Mapping[str, Any]) -> None:
    """Refuse what a stored definition of a Ray job may not have, or must.

    GetJob shows a Timeout of such a job all the same, which nobody can set.

    Raises:
        GlueError: ``InvalidInputException``.
    """
    if _command(definition) != "glueray":
        return
    if "Timeout" in definition:
        raise invalid_input("Timeout not supported for Ray jobs")
    if "WorkerType" not in definition and "MaxCapacity" not in definition:
        raise invalid_input(_RAY_WORKERS)
    if not definition["Command"].get("Runtime"):
        raise invalid_input("Runtime parameter is required for GlueRay command")


def check_queuing(run: Mapping[str, Any]) -> None:
    """Refuse a run that is to be queued and cannot be.

    https://aws.amazon.com/blogs/big-data/introducing-job-queuing-to-scale-your-aws-glue-workloads
    and aws/aws-cdk#31830 tell the rule; the service's words for it are not publicly known.

    Raises:
        GlueError: ``InvalidInputException``.
    """
    if not run.get("JobRunQueuingEnabled"):
        return
    if run.get("ExecutionClass") == "FLEX":
        raise invalid_input("Job run queuing is not supported for Execution Class FLEX.")
    if run.get("MaxRetries"):
        raise invalid_input("Job run queuing is not supported for jobs with Max Retries.")


_RAY_WORKERS = (
    "Worker type cannot be null and only [Z.2X] worker types are supported for glueray jobs"
)


def _check_timeout(command: str, minutes: int | None) -> None:
    """Without an end a job of another command has none but 7 days; a streaming job may have 0.

    The model says that the least is 1, but the service takes and shows a 0 of streaming jobs
    (hashicorp/terraform-provider-aws#16797 and #44920).
    """
    if minutes is None:
        return
    if minutes > MOST_TIMEOUT_MINUTES:
        raise invalid_input(f"Timeout should not exceed {MOST_TIMEOUT_MINUTES} minutes.")
    if minutes < (0 if command == "gluestreaming" else 1):
        raise GlueError(
            "ValidationException",
            f"1 validation error detected: Value '{minutes}' at 'timeout' failed to satisfy "
            "constraint: Member must have value greater than or equal to 1",
        )


def _command(definition: Mapping[str, Any]) -> str:
    return str(definition.get("Command", {}).get("Name"))


def _check_workers(command: str, definition: Mapping[str, Any]) -> None:
    worker_type = definition["WorkerType"]
    if command == "pythonshell":
        raise invalid_input("Worker Type is not supported for Job Command pythonshell")
    workers = WORKERS[worker_type]
    if command == "glueray" and command not in workers.commands:
        raise invalid_input(_RAY_WORKERS)
    if command not in workers.commands:
        raise invalid_input(f"Worker type {worker_type} is not supported for Job Command {command}")
    if command == "glueray":
        return
    if not workers.first_major <= major_version(definition) <= workers.last_major:
        version = glue_version(definition)
        raise invalid_input(
            f"Worker type {worker_type} is not supported for Glue Version {version}"
        )


def _check_flex(command: str, definition: Mapping[str, Any]) -> None:
    if command != "glueetl" or major_version(definition) < 3:
        raise invalid_input(
            "Execution Class FLEX is only supported for Job Command glueetl and Glue Version 3.0 "
            "or later."
        )
    if definition.get("WorkerType", "G.1X") not in FLEX_WORKER_TYPES:
        types = " and ".join(FLEX_WORKER_TYPES)
        raise invalid_input(f"Execution Class FLEX is only supported for Worker Types {types}.")
