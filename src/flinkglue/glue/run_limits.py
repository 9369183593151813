"""What Glue lets the runs of each kind of job have: one table, and the check against it. Pure.

https://docs.aws.amazon.com/glue/latest/webapi/API_StartJobRun.html. What that page does not speak
of, such as a newer command or type of worker, is left to Glue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flinkglue.errors import InvalidInput
from flinkglue.glue.models.job_run import major_version

SPARK = ("glueetl", "gluestreaming")
COMMANDS = {
    "glueetl": "Spark",
    "gluestreaming": "Spark streaming",
    "pythonshell": "Python shell",
    "glueray": "Ray",
}
FLEX_WORKERS = ("G.1X", "G.2X")
PYTHON_SHELL_CAPACITIES = (0.0625, 1)
LEAST_SPARK_CAPACITY, MOST_SPARK_CAPACITY = 2, 100


@dataclass(frozen=True)
class Kind:
    """The kinds of job that take something.

    Args:
        commands: The commands of their jobs.
        since: The first major Glue version.
        until: The first major Glue version that does not take it any more.
    """

    commands: tuple[str, ...]
    since: int = 0
    until: int | None = None

    def takes(self, command: str, major: int | None) -> bool:
        """Whether a job of this command and major version is one; an unknown version may be."""
        if command not in self.commands:
            return False
        return major is None or self.since <= major < (self.until or major + 1)

    def __str__(self) -> str:
        names = " and ".join(COMMANDS[command] for command in self.commands)
        since = f" of Glue {self.since}.0 or newer" if self.since else ""
        until = f" older than Glue {self.until}.0" if self.until else ""
        return f"{names} jobs{since}{until}"


WORKERS = {
    "Standard": Kind(SPARK, until=3),
    "G.025X": Kind(("gluestreaming",), since=3),
    "G.1X": Kind(SPARK),
    "G.2X": Kind(SPARK),
    "G.4X": Kind(SPARK, since=3),
    "G.8X": Kind(SPARK, since=3),
    "Z.2X": Kind(("glueray",)),
}
FLEX = Kind(("glueetl",), since=3)
SPARK_WITH_CAPACITY = Kind(SPARK, until=2)


def check_run(run: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse settings of a run that its job cannot take.

    Args:
        run: The Job structure of GetJob with the run's own settings in place of the job's.
        given: The run's own settings, as StartJobRun takes them. What comes from the job is not
            questioned, as Glue has taken it; but for what it takes of a job and not of a run.

    Raises:
        InvalidInput: Names the option and what the job takes.
    """
    _check_queuing(run)
    command = (run.get("Command") or {}).get("Name")
    if command not in COMMANDS:
        return
    major = major_version(run.get("GlueVersion"))
    if "WorkerType" in given:
        _check_workers(given["WorkerType"], command, major)
    if "MaxCapacity" in given:
        _check_capacity(given["MaxCapacity"], command, major)
    if run.get("ExecutionClass") == "FLEX":
        _check_flex(run, given, command, major)


def _check_queuing(run: Mapping[str, Any]) -> None:
    """Refuse what Glue refuses at the start alone, when the order would be written already.

    https://aws.amazon.com/blogs/big-data/introducing-job-queuing-to-scale-your-aws-glue-workloads
    """
    if not run.get("JobRunQueuingEnabled"):
        return
    cause = None
    if run.get("ExecutionClass") == "FLEX":
        cause = "execution class FLEX"
    elif retries := run.get("MaxRetries"):
        cause = f"MaxRetries {retries}"
    if cause:
        raise InvalidInput(
            "run_options.job_run_queuing_enabled",
            True,
            f"false for a run with {cause}: Glue does not queue one. Where the job has queuing on, "
            "switch it off there, or for this run",
        )


def _check_workers(worker_type: str, command: str, major: int | None) -> None:
    kind = WORKERS.get(worker_type)
    if kind is None or kind.takes(command, major):
        return
    fitting = [name for name, kind in WORKERS.items() if kind.takes(command, major)]
    allowed = "nothing: a Python shell job has no workers; set max_capacity"
    if fitting:
        allowed = f"{', '.join(fitting)} or a newer type"
    raise InvalidInput(
        "run_options.worker_type", worker_type, f"{allowed} ({worker_type} is for {kind})"
    )


def _check_capacity(capacity: float, command: str, major: int | None) -> None:
    if command == "pythonshell":
        fits, allowed = capacity in PYTHON_SHELL_CAPACITIES, "0.0625 or 1 for a Python shell job"
    elif not SPARK_WITH_CAPACITY.takes(command, major):
        fits, allowed = False, "nothing for this job; set worker_type and number_of_workers"
    else:
        fits = capacity == int(capacity)
        fits = fits and LEAST_SPARK_CAPACITY <= capacity <= MOST_SPARK_CAPACITY
        allowed = f"a whole number from {LEAST_SPARK_CAPACITY} to {MOST_SPARK_CAPACITY}"
    if not fits:
        raise InvalidInput("run_options.max_capacity", capacity, allowed)


def _check_flex(
    run: Mapping[str, Any], given: Mapping[str, Any], command: str, major: int | None
) -> None:
    workers = " or ".join(FLEX_WORKERS)
    worker_type = run.get("WorkerType")
    may_be_flex = worker_type not in WORKERS or worker_type in FLEX_WORKERS
    if "ExecutionClass" in given and not (may_be_flex and FLEX.takes(command, major)):
        raise InvalidInput(
            "run_options.execution_class", "FLEX", f"FLEX for {FLEX} on {workers} workers"
        )
    if "WorkerType" in given and not may_be_flex:
        raise InvalidInput(
            "run_options.worker_type", worker_type, f"{workers} for a job that runs with FLEX"
        )
