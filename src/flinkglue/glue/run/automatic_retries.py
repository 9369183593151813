"""The runs with which Glue itself goes on after one that ended."""

from __future__ import annotations

from datetime import datetime

from flinkglue.errors import DeadlineExceeded
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import JobRun, JobRunState
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run.wait import watch_run
from flinkglue.glue.run_request import RunRequest
from flinkglue.polling import wait_until

GLUE_RETRIES_WITHIN_SECONDS = 20.0
"""How long after an end the run with which Glue itself goes on may take to be listed."""


def last_of_glues_own(
    context: RunContext, request: RunRequest, ended: JobRun, observer: RunObserver
) -> JobRun:
    """The last of the runs with which Glue itself goes on after one that ended.

    It repeats failed ones, and replaces those of streaming jobs at their maintenance. They are
    found by the key that they carry, and those of other systems by the run that they name as the
    one before.

    Args:
        ended: The run; one that is live is returned as it is.
    """
    while ended.ended and not ended.succeeded and _goes_on_by_itself(context.client, ended):
        newest = _newest_run(context, request, ended)
        if newest.job_run_id == ended.job_run_id:
            break
        context.log.warning(
            "Run %s ended %s; Glue continues with %s",
            ended.job_run_id,
            ended.state,
            newest.job_run_id,
        )
        ended = watch_run(context, request, newest, observer)
    return ended


def _goes_on_by_itself(client: GlueClient, ended: JobRun) -> bool:
    if ended.state == JobRunState.EXPIRED:
        return True
    return bool(client.get_job(ended.job_name).get("MaxRetries"))


def _newest_run(context: RunContext, request: RunRequest, ended: JobRun) -> JobRun:
    since = ended.started_on or request.since  # the one that follows is newer
    client = context.client

    def newest() -> JobRun:
        if request.flow_run_id:
            return client.find_run_by_key(request.job_name, request.key, since) or ended
        return _follower(client, ended, since) or ended

    try:
        return wait_until(
            newest,
            lambda run: run.job_run_id != ended.job_run_id,
            waited_for=f"The run with which Glue continues after run {ended.job_run_id}",
            deadline_seconds=GLUE_RETRIES_WITHIN_SECONDS,
            clock=context.clock,
        )
    except DeadlineExceeded:
        return ended


def _follower(client: GlueClient, ended: JobRun, since: datetime) -> JobRun | None:
    pages = client.job_run_pages(ended.job_name, since)
    runs = (run for page in pages for run in page)
    return next((run for run in runs if run.previous_run_id == ended.job_run_id), None)
