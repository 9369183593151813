"""Jobs as they were read a moment ago, for choices that are checked against the job afterwards.

A choice goes by a job's settings: its workers, its limit of runs. They seldom change, and the job
is read under its lock before a run is started anyway. So the choice may go by what was read within
a minute, if that reading is compared with the last one before anything is written or started. A
choice not to start the run is made again by the job as it is then.
"""

from __future__ import annotations

import json
import threading

from flinkglue.clock import Clock
from flinkglue.glue.models import Job

KEPT_SECONDS = 60.0
_BY_A_RUN = ("Connections", "LastModifiedOn")
"""What writing another order changes."""


class KeptJobs:
    """The last reading of each job of an account.

    Args:
        clock: The time to go by.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._gate = threading.Lock()
        self._jobs: dict[str, tuple[float, Job]] = {}

    def keep(self, job_name: str, job: Job) -> None:
        """The job was just read."""
        now = self._clock.monotonic()
        with self._gate:
            self._jobs = {
                name: kept for name, kept in self._jobs.items() if now - kept[0] <= KEPT_SECONDS
            } | {job_name: (now, job)}

    def recent(self, job_name: str) -> Job | None:
        """The job as it was at most a minute ago, if it was read then."""
        now = self._clock.monotonic()
        with self._gate:
            read_at, job = self._jobs.get(job_name, (now, None))
        return job if now - read_at <= KEPT_SECONDS else None

    def forget(self, job_name: str) -> None:
        """The job is another one now."""
        with self._gate:
            self._jobs.pop(job_name, None)


def settings_of(job: Job) -> str:
    """All that a job is, but for the order of its connections."""
    return json.dumps(
        {name: value for name, value in job.items() if name not in _BY_A_RUN},
        sort_keys=True,
        default=str,
    )
