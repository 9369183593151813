"""The search for runs that Glue may not list yet, by the marks that their starts left."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from flinkglue.clock import Pace
from flinkglue.errors import CallFailed
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.coordination.start_marks import SEARCHED_FOR_SECONDS, StartMark, StartMarks
from flinkglue.glue.models import JobRun
from flinkglue.glue.run_request import Log, RunRequest
from flinkglue.polling import TRANSIENT, polls_for


def end_mark(marks: StartMarks, mark: StartMark, log: Log) -> None:
    """Remove a mark. A failure is left to the mark, which ends by itself."""
    try:
        marks.end(mark)
    except CallFailed as error:
        log.warning("The mark of a start is left to end by itself: %s", error)


def listed_runs(client: GlueClient, request: RunRequest) -> dict[str, list[JobRun]]:
    """The flow run's runs as Glue lists them now, by run key, newest first.

    Raises:
        CallFailed: They cannot be listed, which says nothing about them.
    """
    found: dict[str, list[JobRun]] = {}
    for run in client.find_runs(request.job_name, f"{request.flow_run_id}/", request.since):
        found.setdefault(run.key or "", []).append(run)
    return found


def runs_within_reach(
    context: RunContext, request: RunRequest, run_keys: Collection[str] | None
) -> Mapping[str, list[JobRun]]:
    """The flow run's runs, as soon as all of these are listed, else after half a minute of polls.

    Args:
        context: The account, the log and time.
        request: The flow run's; its number does not matter.
        run_keys: The keys whose starts are on their way; None: it is not known which.

    Raises:
        CallFailed: The last poll failed.
    """
    runs: Mapping[str, list[JobRun]] = {}
    failure: CallFailed | None = None
    for _ in polls_for(SEARCHED_FOR_SECONDS, Pace(), context.clock):
        try:
            runs, failure = listed_runs(context.client, request), None
        except TRANSIENT as error:
            context.log.warning("Searching again for runs: %s", error)
            failure = error
            continue
        if run_keys is not None and runs.keys() >= set(run_keys):
            return runs
    if failure is not None:
        raise failure
    return runs


def end_marks_of_listed(context: RunContext, request: RunRequest, mark: StartMark | None) -> None:
    """Remove the marks whose runs the list shows; the others end by themselves.

    The list is read until it has shown them, which is most often one page.

    Args:
        context: The account, and where the marks are.
        request: What was started.
        mark: The one of this start; None: the run was adopted, and the mark is another process's.
    """
    marks, log = context.coordination.start_marks, context.log
    try:
        live = [mark] if mark else marks.live(request.flow_run_id)
        # What this process started is not older than its request.
        since = (request.requested_at if mark else None) or request.since
        listed = _listed_of(
            context.client, request.job_name, {each.run_key for each in live}, since
        )
    except CallFailed as error:
        log.info("The marks of starts are left to end by themselves: %s", error)
        return
    for each in live:
        if each.run_key in listed:
            end_mark(marks, each, log)


def _listed_of(client: GlueClient, job_name: str, run_keys: set[str], since: datetime) -> set[str]:
    """Those of the keys whose runs are listed."""
    missing = set(run_keys)
    if missing:
        for page in client.job_run_pages(job_name, since):
            missing -= {run.key for run in page if run.key}
            if not missing:
                break
    return run_keys - missing
