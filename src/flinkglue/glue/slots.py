"""How many runs of a job may live at once, and how many do.

Glue refuses a start when there are as many as the job's MaxConcurrentRuns says. By then the job's
definition would have been written for nothing, so whoever is about to start looks first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flinkglue.errors import Conflict
from flinkglue.glue.client import GlueClient
from flinkglue.glue.models import JobRun
from flinkglue.glue.run_request import RunRequest

REFUSED_FOR_SLOTS = ("ConcurrentRunsExceededException", "ResourceNumberLimitExceededException")
"""Glue counts a run for 5 to 10 s after its end, and the account's runs as well as the job's."""


class NoSlot(Conflict):
    """Nothing was started: the job, or the account, has as many live runs as it may."""

    def __init__(self, job_name: str, reason: str) -> None:
        super().__init__(
            "AWS Glue",
            "StartJobRun",
            f"job {job_name}",
            reason,
            code=REFUSED_FOR_SLOTS[0],
            advice="raise MaxConcurrentRuns in the job's settings, or wait until a run has ended",
        )


@dataclass(frozen=True)
class Slots:
    """The slots of a job: `most` is its MaxConcurrentRuns, None when Glue queues what is above."""

    job_name: str
    most: int | None
    live: int

    @property
    def free(self) -> bool:
        return self.most is None or self.live < self.most

    def describe(self) -> str:
        """How many are taken, and which limit it is."""
        most = "any number of runs, which Glue queues" if self.most is None else str(self.most)
        return f"{self.live} runs of job {self.job_name} live; its MaxConcurrentRuns is {most}"


@dataclass(frozen=True)
class RunsSeen:
    """What one reading of a job's runs told: the run of a key, if it is there, and the slots."""

    run: JobRun | None
    slots: Slots


def see_runs(client: GlueClient, request: RunRequest, job: Mapping[str, Any]) -> RunsSeen:
    """Look for the request's run, and count the live ones on the way.

    No run of the key can be older than the request, so no older page is read. Runs that live on
    behind those pages are not counted; Glue then refuses the start.

    Args:
        client: The account.
        request: What is to be run.
        job: The Job structure of GetJob.

    Raises:
        CallFailed: The runs cannot be read, which says nothing about them.
    """
    live = 0
    for page in client.job_run_pages(request.job_name, request.since):
        for run in page:
            if run.key == request.key:
                return RunsSeen(run, _slots(request, job, live))
            live += not run.ended
    return RunsSeen(None, _slots(request, job, live))


def _slots(request: RunRequest, job: Mapping[str, Any], live: int) -> Slots:
    if request.options.over(job).get("JobRunQueuingEnabled"):
        return Slots(request.job_name, None, live)
    most = (job.get("ExecutionProperty") or {}).get("MaxConcurrentRuns") or 1
    return Slots(request.job_name, int(most), live)
