"""Where a run's logs lie in CloudWatch, by its own arguments and its job's. Pure.

Glue 5: https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html
Before: https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging-enable.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from flinkglue.glue.log_arguments import (
    CONTINUOUS,
    CONTINUOUS_GROUP,
    CONTINUOUS_STREAM_PREFIX,
    GROUP_PREFIX,
    STREAM_PREFIX,
    log_arguments,
)
from flinkglue.glue.models import Job, JobRun
from flinkglue.glue.models.job_run import major_version

CONTINUOUS_DEFAULT_GROUP = "/aws-glue/jobs/logs-v2"
FIRST_VERSION_WITHOUT_CONTINUOUS = 5

OUTPUT, ERROR, DRIVER = "output", "error", "driver"


@dataclass(frozen=True)
class LogPlace:
    """A log stream. `is_shared`: all runs of the job write to it, so times distinguish them."""

    log_group_name: str
    log_stream_name: str
    is_shared: bool = False

    def __str__(self) -> str:
        return f"{self.log_group_name} {self.log_stream_name}"


class LogTail(NamedTuple):
    """The last lines of a log, and where they were; `place` is None when there is no stream."""

    lines: list[str]
    place: LogPlace | None


def located(run: JobRun, job: Job) -> JobRun:
    """The run with what its job says of logs, where the run itself says nothing.

    Args:
        job: The Job structure of GetJob, or the maps of arguments alone.
    """
    defaults = log_arguments(job.get("DefaultArguments") or {})
    fixed = log_arguments(job.get("NonOverridableArguments") or {})
    return replace(run, log_arguments={**defaults, **run.log_arguments, **fixed})


def log_kinds(run: JobRun) -> tuple[str, ...]:
    """What a run's driver writes: its output, its errors, and until Glue 4 the continuous log."""
    is_on = run.log_arguments.get(CONTINUOUS, "").lower() == "true"
    major = major_version(run.glue_version)
    if is_on and major is not None and major < FIRST_VERSION_WITHOUT_CONTINUOUS:
        return (OUTPUT, ERROR, DRIVER)
    return (OUTPUT, ERROR)


def log_places(run: JobRun, kind: str) -> list[LogPlace]:
    """Where one kind of a run's log may lie, the likeliest place first.

    The stream of a run's driver is named after the run, with or without ``-driver`` behind it. With
    a prefix of its own it is named after that, and then all runs of the job may share it.

    Args:
        run: The run, with its job's arguments about logs.
        kind: ``output``, ``error`` or ``driver``.
    """
    given = run.log_arguments
    if kind == DRIVER:
        suffix = f"-{run.security_configuration}" if run.security_configuration else ""
        groups = [f"{given.get(CONTINUOUS_GROUP, CONTINUOUS_DEFAULT_GROUP)}{suffix}"]
        streams = _streams(run, given.get(CONTINUOUS_STREAM_PREFIX))
    else:
        own = [given[GROUP_PREFIX]] if GROUP_PREFIX in given else []
        groups = [f"{group.rstrip('/')}/{kind}" for group in (*own, run.log_group_name)]
        streams = _streams(run, given.get(STREAM_PREFIX))
    return [
        LogPlace(group, stream, is_shared)
        for group in dict.fromkeys(groups)
        for stream, is_shared in streams
    ]


def _streams(run: JobRun, prefix: str | None) -> list[tuple[str, bool]]:
    own = [(run.job_run_id, False), (f"{run.job_run_id}-driver", False)]
    if not prefix:
        return own
    named = [(f"{prefix}-driver", True)]
    named += [(f"{prefix}{dash}{run.job_run_id}-driver", False) for dash in ("-", "")]
    return [*named, *own]
