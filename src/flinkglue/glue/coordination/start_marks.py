"""Marks that a start is on its way, and the search for a run that Glue may not list yet.

GetJobRuns may show a run some seconds after it was started. Who finds no run can therefore not tell
a start that never happened from one that happened an instant ago, in a process that was killed
since. So a start is marked right before it is made. A mark of this key means: look again for a
while. No mark means: what is not listed is not there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flinkglue.clock import Clock, wait_until
from flinkglue.errors import CallFailed, DeadlineExceeded, ServiceUnavailable, Throttled
from flinkglue.glue.models import JobRun
from flinkglue.glue.run_request import Log, RunRequest

LOOK_AGAIN_SECONDS = 30.0
"""How long a run whose start is in doubt is looked for before it is held not to be there."""

MARKED_FOR_SECONDS = 4 * LOOK_AGAIN_SECONDS
"""How long a mark counts: the call itself may take a minute, and then the list may be late."""


@dataclass(frozen=True)
class StartMark:
    """That a run of this key is being started. `is_new`: by whoever got this answer."""

    mark_id: str
    run_key: str
    is_new: bool = False


class StartMarks(Protocol):
    """The marks of all flow runs. They end by themselves."""

    def begin(self, run_key: str) -> StartMark:
        """Mark that the run is started now; the mark that is there already, if there is one.

        Raises:
            CallFailed: It is not known whether it is marked; nothing must be started.
        """

    def end(self, mark: StartMark) -> None:
        """Remove this very mark: the run is listed, or surely was not started."""

    def live(self, flow_run_id: str) -> list[StartMark]:
        """The marks of one flow run's starts."""


def end_mark(marks: StartMarks, mark: StartMark, log: Log) -> None:
    """Remove a mark. A failure is left to the mark, which ends by itself."""
    try:
        marks.end(mark)
    except CallFailed as error:
        log.warning("The mark of a start is left to end by itself: %s", error)


class RunFinder(Protocol):
    """The call of Glue that finds runs."""

    def find_runs(self, job_name: str, key_prefix: str, since: datetime) -> list[JobRun]:
        """The runs whose run key starts so, newest first."""


def listed_runs(client: RunFinder, request: RunRequest) -> dict[str, list[JobRun]]:
    """The flow run's runs as Glue lists them now, by run key, newest first.

    Raises:
        CallFailed: They cannot be listed, which says nothing about them.
    """
    found: dict[str, list[JobRun]] = {}
    for run in client.find_runs(request.job_name, f"{request.flow_run_id}/", request.since):
        found.setdefault(run.key or "", []).append(run)
    return found


def runs_within_reach(
    client: RunFinder,
    request: RunRequest,
    run_keys: Collection[str] | None,
    *,
    log: Log,
    clock: Clock,
) -> Mapping[str, list[JobRun]]:
    """The flow run's runs, as soon as all of these are listed, else after half a minute of looking.

    Args:
        client: The account.
        request: The flow run's; its number does not matter.
        run_keys: The keys whose starts are on their way; None: it is not known which.
        log: Told when a look fails.
        clock: The time to go by.

    Raises:
        CallFailed: The last look failed.
    """
    seen: dict[str, list[JobRun]] | None = None
    failure: CallFailed | None = None

    def look() -> bool:
        nonlocal seen, failure
        seen, failure = None, None
        try:
            seen = listed_runs(client, request)
        except (Throttled, ServiceUnavailable) as error:
            log.warning("Searching again for runs: %s", error)
            failure = error
            return False
        return run_keys is not None and seen.keys() >= set(run_keys)

    try:
        wait_until(
            look,
            bool,
            waited_for=f"The runs of flow run {request.flow_run_id} in GetJobRuns",
            deadline_seconds=LOOK_AGAIN_SECONDS,
            clock=clock,
        )
    except DeadlineExceeded:
        if failure is not None:
            raise failure from None
    assert seen is not None
    return seen


class RunPages(Protocol):
    """The call of Glue that lists runs."""

    def job_run_pages(self, job_name: str, since: datetime) -> Iterator[list[JobRun]]:
        """The runs of a job page by page, newest first, until they are older than that."""


def end_marks_of_listed(
    client: RunPages, request: RunRequest, marks: StartMarks, log: Log, mark: StartMark | None
) -> None:
    """Remove the marks whose runs the list shows; the others end by themselves.

    The list is read until it has shown them, which is most often one page.

    Args:
        client: The account.
        request: What was started.
        marks: The marks.
        log: Told when one cannot be removed.
        mark: The one of this start; None: the run was adopted, and the mark is another process's.
    """
    try:
        live = [mark] if mark else marks.live(request.flow_run_id)
        # What this process started is not older than what it was asked for.
        since = (request.asked_at if mark else None) or request.since
        listed = _listed_of(client, request.job_name, {each.run_key for each in live}, since)
    except CallFailed as error:
        log.info("The marks of starts are left to end by themselves: %s", error)
        return
    for each in live:
        if each.run_key in listed:
            end_mark(marks, each, log)


def _listed_of(client: RunPages, job_name: str, run_keys: set[str], since: datetime) -> set[str]:
    """Those of the keys whose runs are listed."""
    missing = set(run_keys)
    if missing:
        for page in client.job_run_pages(job_name, since):
            missing -= {run.key for run in page if run.key}
            if not missing:
                break
    return run_keys - missing
