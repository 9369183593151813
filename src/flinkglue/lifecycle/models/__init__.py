"""What the lifecycle of a Flink job speaks of, as values. Pure: no I/O.

Read first `spec` (what is to run) and `job_view` (what a cluster shows of it), then `action` and
`outcome`."""

from flinkglue.lifecycle.models.action import LAUNCHING, Action
from flinkglue.lifecycle.models.job_view import TERMINAL_STATES, JobView
from flinkglue.lifecycle.models.outcome import Outcome, Savepoint
from flinkglue.lifecycle.models.source_lag import SourceLag
from flinkglue.lifecycle.models.spec import (
    MOST_PARALLELISM,
    NO_ARGS_FOR_SQL,
    RESTORE_MODES,
    Jar,
    JobSpec,
    RestoreMode,
)

__all__ = [
    "LAUNCHING",
    "MOST_PARALLELISM",
    "NO_ARGS_FOR_SQL",
    "RESTORE_MODES",
    "TERMINAL_STATES",
    "Action",
    "Jar",
    "JobSpec",
    "JobView",
    "Outcome",
    "RestoreMode",
    "Savepoint",
    "SourceLag",
]
