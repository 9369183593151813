"""Flink jobs: submit one, wait for it, read what it counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from prefect import runtime
from prefect.context import TaskRunContext

from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.jobs.state import JobProgress, QueryFlink, WaitUntil
from flinkglue.azure.jobs.submission import Submission
from flinkglue.azure.jobs.waiting import JobWatch
from flinkglue.azure.models import AccessToken, ArmFlinkJob
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.errors import CallFailed, JobFailed
from flinkglue.flink.api.rest import FlinkRestClient
from flinkglue.flink.job_view import brief_view
from flinkglue.lifecycle.models import JobView
from flinkglue.prefect.pages.flink_job import dashboard_of, page_of, show_job, show_observed
from flinkglue.prefect.pages.word_counts import WordCounts
from flinkglue.prefect.retries import is_another_attempt
from flinkglue.prefect.run_log import run_log
from flinkglue.prefect.steps import step


def submission_key(context: TaskRunContext, parameters: dict[str, Any]) -> str | None:
    """One submission for each flow run and job name, however often the flow run is tried."""
    flow_run_id = runtime.flow_run.id
    return f"flink-job-{flow_run_id}-{parameters['request'].job_name}" if flow_run_id else None


@step(
    task_run_name="submit {request.job_name} to {cluster.cluster_name}",
    # A flow run that is tried again takes the job that it submitted before.
    cache_key_fn=submission_key,
    persist_result=True,
    # Safe to repeat: each attempt looks for the job first. A submit in doubt is not repeated.
    retry_after=[2, 10],
)
def submit_flink_job(
    cluster: HDInsightFlinkCluster, request: RunJob, token: AccessToken | None = None
) -> ArmFlinkJob:
    """Submit a job, or adopt the one that has its name.

    Raises:
        InDoubt: It was sent, and no job was found.
        CallFailed: ARM refused.
    """
    with cluster.get_client(token) as arm:
        submission = Submission(arm, cluster.cluster_id, emit=run_log().info)
        job = submission.submit(request, sent_before=is_another_attempt())
        dashboard = dashboard_of(cluster, arm)
    show_observed(cluster, JobProgress(job), dashboard)
    return job


@step(task_run_name="wait until {job.job_name} is {until}")
def wait_for_flink_job(
    cluster: HDInsightFlinkCluster,
    job: ArmFlinkJob,
    until: WaitUntil,
    deadline_minutes: float,
    token: AccessToken | None = None,
) -> JobProgress:
    """Wait until the job is submitted, its tasks really run, or it has finished.

    Raises:
        JobFailed: It failed, or somebody ended it.
        DeadlineExceeded: The deadline passed; the job is left as it is.
    """
    logger = run_log()
    with ExitStack() as opened:
        arm = opened.enter_context(cluster.get_client(token))
        query = opened.enter_context(flink_query(cluster, logger.warning))
        watch = JobWatch(arm, cluster.cluster_id, job, query, logger.info)
        try:
            view = watch.until(until, deadline_minutes * 60)
        finally:  # the page shows the last state also when the deadline passed
            dashboard = dashboard_of(cluster, arm)
            show_observed(cluster, watch.observed, dashboard)
    if view.failure is not None:
        raise JobFailed(
            f"Flink job {job.job_name} (id {view.row.job_id}) is {view.failure}. What to do: see "
            f"{page_of(cluster, view, dashboard)}, fix the cause, and start a new run."
        )
    if not view.queried_flink and until is not WaitUntil.SUBMITTED:
        logger.warning("Tasks were not verified: the cluster block has no Flink REST URL.")
    return view


@step(task_run_name="read the word counts of {view.row.job_name}")
def read_word_counts(
    cluster: HDInsightFlinkCluster, view: JobProgress, output: str
) -> WordCounts | None:
    """Read and show what the job counted; None when Flink cannot tell."""
    counts, client = None, cluster.get_flink_client()
    if client is not None and view.row.job_id is not None:
        with client:
            try:
                counts = WordCounts.from_accumulators(client.accumulators(view.row.job_id))
            except CallFailed as fault:
                run_log().warning("The word counts could not be read: %s", fault)
    where = f"The counts are in `{output}` on the cluster's task managers."
    show_job(cluster, view, cluster.flink_rest_url, counts.markdown() if counts else where)
    run_log().info("%s", counts.in_words() if counts else where)
    return counts


@contextmanager
def flink_query(
    cluster: HDInsightFlinkCluster, warn: Callable[[str], None]
) -> Iterator[QueryFlink | None]:
    """Asks the cluster's JobManager about jobs; None when the block has no URL for it."""
    client = cluster.get_flink_client()
    if client is None:
        yield None
        return
    with client:
        yield lambda job_id: _in_flink(client, job_id, warn)


def _in_flink(client: FlinkRestClient, job_id: str, warn: Callable[[str], None]) -> JobView | None:
    """A job as Flink shows it; None when Flink does not know it or does not answer."""
    try:
        return brief_view(client, job_id)
    except CallFailed as fault:
        warn(f"Flink was not queried about job {job_id}: {fault}")
        return None
