"""The deployments that act on Glue, as they are filled in."""

from __future__ import annotations

from collections.abc import Iterator

from tests.scenario.browser.filled_in import FilledIn, Refusal
from tests.scenario.browser.prefect_ui import RunForm

JOB = "AirflowBlogJob"
CONNECTIONS = ("MWAA-Glue-Blog-Subnet1", "MWAA-Glue-Blog-Subnet2")
DEFINITION = "orders"
_AWS = ("aws_credentials", "AwsCredentials", "aws")


def glue_forms(job_run_id: str) -> Iterator[FilledIn]:
    """Each deployment for Glue.

    Args:
        job_run_id: A run of the job that somebody else has started.
    """
    yield FilledIn(
        "glue-job",
        Refusal(
            "retries",
            51,
            1,
            "field 'retry_options.retries'. Failure reason: 51 is greater than the maximum of 50",
            "less than or equal to 50",
        ),
        _glue_job,
        f"{JOB}: attempt 1 on {CONNECTIONS[0][:-1]}",
        f"SUCCEEDED on {CONNECTIONS[0][:-1]}",
        (f"choose a connection for {JOB}", f"run {JOB} on {CONNECTIONS[0][:-1]}"),
        {"glue-job-run-": "SUCCEEDED", "connection-ranking-": CONNECTIONS[1]},
        picker=_AWS,
        row=("glue-jobs", JOB, "SUCCEEDED"),
    )
    yield FilledIn(
        "glue-run-wait",
        Refusal("deadline_minutes", 0, 30, "0 is less than or equal to the minimum of 0"),
        lambda form: _glue_run_wait(form, job_run_id),
        f"wait for {JOB} {job_run_id}",
        "SUCCEEDED",
        (f"wait for run {job_run_id} of {JOB}",),
        {"glue-job-run-": "SUCCEEDED"},
        picker=_AWS,
        row=("glue-jobs", JOB, "SUCCEEDED"),
    )
    yield FilledIn(
        "glue-job-deploy",
        Refusal("region", "Ireland", "us-east-1", "a region by its code, for example eu-west-1"),
        _glue_job_deploy,
        f"deploy {DEFINITION}",
        "orders: planned",
        (f"deploy {DEFINITION}",),
        {"glue-job-definition-orders": "NumberOfWorkers"},
        picker=("definition", "GlueJobDefinition", DEFINITION),
    )
    yield FilledIn(
        "glue-run-sweep",
        Refusal(
            "silent_minutes", 3, 4, "3 is less than the minimum of 4", "greater than or equal to 4"
        ),
        _glue_run_sweep,
        f"sweep of {JOB}",
        "Live Glue runs:",
        (f"find live runs of {JOB}", "find the flow runs of live Glue runs"),
        {"glue-run-sweep": "Glue run"},
        picker=_AWS,
    )
    yield FilledIn(
        "glue-connection-health",
        Refusal(
            "minimum_free_addresses",
            0,
            5,
            "0 is less than the minimum of 1",
            "greater than or equal to 1",
        ),
        _glue_connection_health,
        f"health of {', '.join(CONNECTIONS)}",
        "2 of 2 connections can hold a run",
        ("read the free addresses of connections",),
        {"glue-connection-health": CONNECTIONS[0]},
        picker=_AWS,
    )


def _glue_job(form: RunForm) -> None:
    form.fill("job_name", JOB)
    form.add("connection_names", *CONNECTIONS)
    form.choose("strategy", "capacity")
    form.write("arguments", {"--date": "2026-11-30", "--tables": ["orders", "items"]})
    form.switch("follow_logs")


def _glue_run_wait(form: RunForm, job_run_id: str) -> None:
    form.fill("job_name", JOB)
    form.fill("job_run_id", job_run_id)
    form.add("secret_arguments", "--api-key")


def _glue_job_deploy(form: RunForm) -> None:
    form.switch("dry_run")


def _glue_run_sweep(form: RunForm) -> None:
    form.add("job_names", JOB)
    form.switch("stop")
    form.choose("end_silent_runs", "no")


def _glue_connection_health(form: RunForm) -> None:
    form.add("connection_names", *CONNECTIONS)
