"""The search for runs that Glue may not list yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from flinkglue.clock import Pace
from flinkglue.errors import CallFailed
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.claims import SEARCHED_FOR_SECONDS
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import JobRun
from flinkglue.glue.run_request import RunRequest
from flinkglue.polling import TRANSIENT, polls_for


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


def search_for_starts(context: RunContext, request: RunRequest) -> None:
    """Return when the flow run's runs are listed whose starts are recorded, or are not there.

    Their process was killed or still lives. Search before the next choice: it would replace what
    is reserved for a run that is about to take its addresses.

    Args:
        request: The flow run's; its number does not matter.

    Raises:
        CallFailed: The starts or the runs cannot be read.
    """
    starts = context.coordination.claims.starts_of(request.flow_run_id)
    if starts:
        run_keys = {start.run_key for start in starts}
        context.log.info("Searching for runs that may be starting: %s", ", ".join(sorted(run_keys)))
        runs_within_reach(context, request, run_keys)


def listed_keys(client: GlueClient, job_name: str, run_keys: set[str], since: datetime) -> set[str]:
    """Those of the keys whose runs are listed.

    Raises:
        CallFailed: The runs cannot be listed, which says nothing about them.
    """
    missing = set(run_keys)
    if missing:
        for page in client.job_run_pages(job_name, since):
            missing -= {run.key for run in page if run.key}
            if not missing:
                break
    return run_keys - missing
