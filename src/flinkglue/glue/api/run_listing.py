"""How far back the list of a job's runs is read.

GetJobRuns has no filter, so to search for one run is to read all newer ones. That is done without
the job's lock, and before a start not for ever; under the lock only what was started since is read.
Where no start waits for it, as when runs are to be stopped, the list is read back to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Protocol

from flinkglue.errors import CallFailed
from flinkglue.glue.models import Job, JobRun


class RunReader(Protocol):
    """The calls of Glue that show a job and its runs."""

    def get_job(self, job_name: str) -> Job:
        """The Job structure."""

    def get_job_run(self, job_name: str, job_run_id: str) -> JobRun:
        """One run."""

    def job_run_pages(self, job_name: str, since: datetime) -> Iterator[list[JobRun]]:
        """The runs of a job page by page, newest first, until they are older than that."""

    def newest_runs(self, job_name: str, most: int) -> list[JobRun]:
        """The newest runs of a job, with one call."""


RECENT = timedelta(minutes=15)
"""What was started in so short a time is on a page or two, and may be read under a lock. It is far
longer than GetJobRuns is late."""

PAGE = 200
"""The most runs that GetJobRuns shows at once."""

MOST_PAGES = 100
"""Of 200 runs each. Behind so many nobody knows in time whether a run was started."""


def recent(since: datetime, now: datetime) -> datetime:
    """That moment, or fifteen minutes ago if that is later."""
    return max(since, now - RECENT)


def bounded(pages: Iterator[list[JobRun]], job_name: str) -> Iterator[list[JobRun]]:
    """The pages, up to the most that are read.

    Raises:
        CallFailed: There are more.
    """
    for number, page in enumerate(pages, start=1):
        if number > MOST_PAGES:
            raise CallFailed(
                "AWS Glue",
                "GetJobRuns",
                f"job {job_name}",
                f"the list has more than {MOST_PAGES * PAGE} runs since this flow run first ran, "
                "so it is not known whether a run of it was started; nothing was started",
                advice="start a new flow run: it has no earlier runs to search for. If a Glue "
                "run of this one may be live, search for it by --flinkglue-run-key first",
            )
        yield page
