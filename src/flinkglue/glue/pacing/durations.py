"""How long the last runs of each job took, as every answer of Glue that has runs shows it. Pure."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from datetime import datetime
from typing import NamedTuple

from flinkglue.glue.models import JobRun

KEPT_RUNS = 10
"""Of a job and a size of its runs."""
KEPT_JOBS = 5000

_Size = tuple[Hashable, ...]


class Took(NamedTuple):
    """How long a run took from its start to its end, and how much of that to begin to run."""

    seconds: float
    starting_seconds: float


class RunDurations:
    """The last runs that succeeded, of each job and size: with more workers one takes less time.

    One that failed says nothing of how long the next one takes.
    """

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._jobs: dict[tuple[str, _Size], dict[str, tuple[datetime, Took]]] = {}

    def learn(self, run: JobRun) -> None:
        """Glue showed this run."""
        took = _took(run)
        if took is None or run.started_on is None:
            return
        job = run.job_name, _size(run)
        with self._gate:
            known = self._jobs.setdefault(job, {})
            known[run.job_run_id] = run.started_on, took
            if len(known) > KEPT_RUNS:
                del known[min(known, key=lambda job_run_id: known[job_run_id][0])]
            if len(self._jobs) > KEPT_JOBS:
                del self._jobs[next(iter(self._jobs))]

    def like(self, run: JobRun) -> list[Took]:
        """How long the last runs of this run's job and size took."""
        with self._gate:
            known = self._jobs.get((run.job_name, _size(run)), {})
            return [took for _, took in known.values()]


def _took(run: JobRun) -> Took | None:
    seconds = run.duration_seconds
    if not run.succeeded or seconds is None or seconds < 0:
        return None
    return Took(seconds, max(0.0, seconds - run.execution_seconds))


def _size(run: JobRun) -> _Size:
    return run.worker_type, run.number_of_workers, run.max_capacity
