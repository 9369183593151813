"""GetJobBookmark and ResetJobBookmark: what a job has read already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from localcloud.aws.glue.definitions.jobs import Jobs
from localcloud.aws.glue.errors import entity_not_found
from localcloud.aws.glue.runs.job_run import JobRun
from localcloud.aws.glue.runs.runs import Runs

_OPTION, _ENABLED = "--job-bookmark-option", "job-bookmark-enable"


class Bookmarks:
    """The bookmarks of jobs: there is one after a run that kept it and succeeded.

    Scripts here keep no state of their own, so a bookmark has none to show.
    https://docs.aws.amazon.com/glue/latest/dg/monitor-continuations.html

    Args:
        jobs: The job definitions.
        runs: Their runs.
    """

    def __init__(self, jobs: Jobs, runs: Runs) -> None:
        self._jobs = jobs
        self._runs = runs
        self._resets: Counter[str] = Counter()
        self._reset_after: dict[str, str] = {}

    def get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """GetJobBookmark."""
        return {"JobBookmarkEntry": self._entry(request["JobName"])}

    def reset(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """ResetJobBookmark: the next run reads everything again."""
        job_name = request["JobName"]
        entry = self._entry(job_name)
        self._resets[job_name] += 1
        self._reset_after[job_name] = entry["RunId"]
        return {"JobBookmarkEntry": {**entry, "Version": self._resets[job_name], "Run": 0}}

    def _entry(self, job_name: str) -> dict[str, Any]:
        if self._jobs.find(job_name) is None:
            raise entity_not_found(f"Job {job_name} not found.")
        kept = [run for run in self._runs.succeeded(job_name) if _keeps_bookmark(run)]
        ids = [run.id for run in kept]
        if not kept:
            raise entity_not_found(f"Continuation for job {job_name} not found")
        before = ids.index(self._reset_after[job_name]) + 1 if job_name in self._reset_after else 0
        return {
            "JobName": job_name,
            "Version": self._resets[job_name],
            "Run": len(ids) - before,
            "Attempt": kept[-1].attempt,
            "RunId": ids[-1],
        }


def _keeps_bookmark(run: JobRun) -> bool:
    return run.all_arguments().get(_OPTION) == _ENABLED
