"""Waiting for a Glue run that another system started, and the job's bookmark."""

from __future__ import annotations

from prefect import task

from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.automatic_retries import last_of_glues_own
from flinkglue.glue.run.logs import LogFollower
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run.outcome import attempt_of
from flinkglue.glue.run.wait import watch_run
from flinkglue.glue.run_request import RunRequest
from flinkglue.prefect.pages.glue_run import RunLink
from flinkglue.prefect.run_log import run_log
from flinkglue.tasks.glue import POLL_RUNS, RETRIED, connect


@task(**RETRIED)
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
    """
    client = connect(aws_credentials).masked_for(request)
    context = RunContext(client, run_log(), pace=POLL_RUNS)
    run = JobRun(request.job_name, job_run_id, "not observed yet")
    RunLink(client.console).show(run)
    follower = LogFollower(context)
    observer = follower if follow_logs else RunObserver()
    run = watch_run(context, request, run, observer)
    last = last_of_glues_own(context, request, run, observer)
    return follower.with_tails(attempt_of(last, 1, None, adopted=True))


@task(**RETRIED)
def reset_job_bookmark(aws_credentials: AwsCredentials, job_name: str) -> None:
    """Have the job's next run read everything again. Safe to repeat before that run has started."""
    if connect(aws_credentials).reset_job_bookmark(job_name):
        run_log().info("The bookmark of job %s was reset", job_name)
    else:
        run_log().info("Job %s has no bookmark to reset", job_name)
