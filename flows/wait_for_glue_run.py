"""Deployment glue-run-wait: waits for a Glue run that somebody else started."""

from __future__ import annotations

from typing import Any

from flinkglue.blocks.aws import AwsCredentialsChoice, AwsRegion
from flinkglue.clock import SystemClock
from flinkglue.errors import JobFailed
from flinkglue.form_types import Name
from flinkglue.glue.attempts import AttemptFailed
from flinkglue.glue.inputs import JobName, check_secret_arguments
from flinkglue.glue.run.outcome import attempt_of
from flinkglue.glue.run.report import followed_output
from flinkglue.glue.run_request import RunRequest
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.prefect.pages.glue_end import show_early_end, show_end
from flinkglue.quantities import Minutes
from flinkglue.tasks.glue import connect, credentials_and_place, read_script_output
from flinkglue.tasks.glue_wait import wait_for_glue_run
from flinkglue.texts import sentence


@form_flow(name="glue-run-wait", flow_run_name="wait for {job_name} {job_run_id}")
@ends_in_words
def wait_for_glue_run_flow(
    job_name: JobName,
    job_run_id: JobName,
    deadline_minutes: Minutes = 2880,
    follow_logs: bool = True,
    secret_arguments: list[Name] | None = None,
    region: AwsRegion | None = None,
    aws_credentials: AwsCredentialsChoice = "aws",
) -> dict[str, Any]:
    """Wait until any Glue run has ended, and fail when it failed.

    The run is only read: cancelling this flow run does not stop it.

    Args:
        job_name: The Glue job.
        job_run_id: The run's id, for example jr_1f2e…
        deadline_minutes: How long to wait. The run continues then.
        follow_logs: Show in this flow run's log what the script writes. Needs the permission
            logs:GetLogEvents, without which the log is not shown.
        secret_arguments: Names of the run's arguments whose values must not be shown, for example
            --api-key. They are read from the run, and hidden in logs and on the page.
        region: The region of the job. Empty: that of the block.
        aws_credentials: The AWS Credentials block with the account and region, or its name.

    Returns:
        How the run ended.

    Raises:
        NotFound: There is no such run.
        DeadlineExceeded: It did not end in time.
        JobFailed: It failed.
    """
    credentials, place = credentials_and_place(aws_credentials, region)
    request = RunRequest(
        job_name,
        "",  # of another system
        since=SystemClock().now(),
        deadline_seconds=deadline_minutes * 60,
        secret_arguments=dict.fromkeys(secret_arguments or (), "(read from the run)"),
        place=place,
    )
    check_secret_arguments(request.secret_arguments, {})
    try:
        attempt = wait_for_glue_run(credentials, request, job_run_id, follow_logs)
    except AttemptFailed as failed:
        attempt = failed.attempt.as_last()
    except Exception as error:
        client = connect(credentials).masked_for(request)
        show_early_end(
            client,
            request,
            [],
            lambda: [attempt_of(client.get_job_run(job_name, job_run_id), 1, None, adopted=True)],
            error,
        )
        raise
    assert attempt.run is not None, "a run that was waited for is there"
    output = followed_output(attempt) or read_script_output(credentials, request, attempt.run)
    ended = show_end(connect(credentials), request, [attempt], output)
    if attempt.failure:
        raise JobFailed(f"Glue job {job_name}: {ended}. {sentence(attempt.describe())}")
    return completed({"job_name": job_name, **attempt.to_dict()}, ended)
