"""How an action on a Flink job is executed, whatever it is. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flinkglue.clock import Pace
from flinkglue.lifecycle.journal.claims import LeaseTerms
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.savepoint_formats import SavepointFormat

RunStep = Callable[[str, Callable[[], Any]], Any]
"""Runs a part of an action, by its name, and returns what it returns."""


def directly(name: str, part: Callable[[], Any]) -> Any:
    """Run a part that nobody watches."""
    return part()


@dataclass(frozen=True)
class ActionOptions:
    """What a person chooses, and then what the cluster and the process add.

    Args:
        deadline_seconds: The longest time for all of the action.
        ready: What is required of a launched job before it counts as running.
        roll_back: Whether an update must be able to return to what ran before. Without it, a bad
            new jar leaves no job.
        savepoint_format: What savepoints are written in; automatic: by the job's state backend.
        check_slots: Whether a job that runs is replaced only when the cluster has the task slots.
        savepoint_directory: Where savepoints are written; None: the cluster's own directory.
        lease: How this process holds the job.
        pace: How often a launched job is polled.
        run_step: Runs each part that people watch: stop, start, verify.
    """

    deadline_seconds: float = 3600
    ready: ReadyLimits = field(default_factory=ReadyLimits)
    roll_back: bool = True
    savepoint_format: SavepointFormat = SavepointFormat.AUTOMATIC
    check_slots: bool = True
    savepoint_directory: str | None = None
    lease: LeaseTerms = field(default_factory=LeaseTerms)
    pace: Pace = field(default_factory=lambda: Pace(first_seconds=0.5, most_seconds=10))
    run_step: RunStep = directly
