"""Waiting for a Glue run that another system started, and the job's bookmark."""

from __future__ import annotations

from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.glue.attempts import Attempt, AttemptFailed
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.automatic_retries import last_of_glues_own
from flinkglue.glue.run.logs import LogFollower
from flinkglue.glue.run.observer import Observers
from flinkglue.glue.run.outcome import attempt_of
from flinkglue.glue.run.wait import watch_run
from flinkglue.glue.run_request import RunRequest
from flinkglue.prefect.pages.glue_run import RunPage
from flinkglue.prefect.run_log import run_log
from flinkglue.prefect.steps import step
from flinkglue.tasks.glue import POLL_RUNS, RETRIED, connect


@step(task_run_name="wait for run {job_run_id} of {request.job_name}", **RETRIED)
def wait_for_glue_run(
    aws_credentials: AwsCredentials,
    request: RunRequest,
    job_run_id: str,
    follow_logs: bool = True,
) -> Attempt:
    """Poll a run, and those with which Glue itself goes on, until they have ended.

    It is only read. One that was started just now may not be known to all of Glue for half a
    minute.

    Args:
        request: The job, the deadline, and which arguments are secret; of no flow run.

    Raises:
        AttemptFailed: The run failed; has how it ended.
    """
    client = connect(aws_credentials).masked_for(request)
    context = RunContext(client, run_log(), pace=POLL_RUNS)
    run = JobRun(request.job_name, job_run_id, "not observed yet")
    page = RunPage(client.console, context.clock, request, names_flow_run=False)
    follower = LogFollower(context)
    observer = Observers([page, follower] if follow_logs else [page])
    run = watch_run(context, request, run, observer)
    last = last_of_glues_own(context, request, run, observer)
    attempt = follower.with_tails(attempt_of(last, 1, None, adopted=True))
    if attempt.failure:
        raise AttemptFailed(attempt)
    return attempt


@step(task_run_name="reset the bookmark of {job_name}", **RETRIED)
def reset_job_bookmark(aws_credentials: AwsCredentials, job_name: str) -> None:
    """Have the job's next run read everything again. Safe to repeat before that run has started."""
    if connect(aws_credentials).reset_job_bookmark(job_name):
        run_log().info("The bookmark of job %s was reset", job_name)
    else:
        run_log().info("Job %s has no bookmark to reset", job_name)
